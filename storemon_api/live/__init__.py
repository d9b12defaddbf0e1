"""The cached fleet that requests share, and server-sent events about new data."""
