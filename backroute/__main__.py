"""`python -m backroute`."""

from backroute.cli import main

main()
