"""Commands about statements."""
