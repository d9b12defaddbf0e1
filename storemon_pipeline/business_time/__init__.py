"""Business time as pure functions: weekly hours, zones and closures as one calendar."""
