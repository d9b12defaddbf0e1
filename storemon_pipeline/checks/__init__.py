"""Checks of the tables and of the data that people sent."""
