"""The uptime engine: pure functions over arrays."""
