"""What one run does from its first read to its last write, without Dagster around it."""
