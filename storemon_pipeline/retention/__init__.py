"""Dropping data that is older than its retention period."""
