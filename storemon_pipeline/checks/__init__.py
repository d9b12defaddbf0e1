"""Checks of the tables and of the loaded data."""
