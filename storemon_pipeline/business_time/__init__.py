"""Business time as pure functions: weekly and special hours, zones and closures as one calendar."""
