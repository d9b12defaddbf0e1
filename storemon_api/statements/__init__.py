"""Routes about statements."""
