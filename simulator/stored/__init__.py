"""Batches of a log between reading and replaying: in memory, on disk, and beside the log for the next process."""
