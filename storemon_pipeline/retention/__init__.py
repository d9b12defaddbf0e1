"""Dropping data that is older than its retention period, and the archive of old polls."""
