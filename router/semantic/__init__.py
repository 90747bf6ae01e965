"""Which task a request is: scores of its routing text from examples, for `task("code") >= 0.6`."""
