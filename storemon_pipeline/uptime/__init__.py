"""The uptime engine: arrays in, arrays out; no clock, environment, Dagster or SQL."""
