"""Arriving polls: what they change of those that are stored, in the database or in a lake."""
