"""Routes about all stores together."""
