"""Scores learned from examples: which task a text is, and how well each model is likely to do on it."""
