"""What each call used as logged, and what another model would have used for it."""
