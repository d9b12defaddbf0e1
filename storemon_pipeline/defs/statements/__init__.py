"""The job that sends statements, and its sensor."""
