"""State that moves money: prompt caches, budgets, limits, outages, retries, cascades, batches, waiting."""
