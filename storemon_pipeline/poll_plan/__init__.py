"""Which stores to poll when, within a budget."""
