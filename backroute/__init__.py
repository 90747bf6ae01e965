"""The front door: the command line, one file per verb, no logic."""
