"""Does the log's own bill come out: recorded spend against the price of the day, and counts that cannot be true."""
