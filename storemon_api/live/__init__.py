"""The snapshot of all stores that requests share, and the event stream about new data."""
