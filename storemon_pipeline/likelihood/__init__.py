"""How likely each uptime is between polls: pure functions over arrays, beside the figures."""
