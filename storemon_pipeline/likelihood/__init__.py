"""How likely each uptime is between polls: pure computation, beside the figures of `uptime`."""
