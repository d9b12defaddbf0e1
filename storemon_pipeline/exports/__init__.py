"""Finished figures as files for others: what a report looks like outside the database."""
