"""What a replay adds up: mergeable and exact, and how sure it is."""
