"""The uptime engine as pure functions: arrays in, arrays out."""
