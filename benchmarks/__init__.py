"""Speed and fidelity against peers and against the limit, one command each."""
