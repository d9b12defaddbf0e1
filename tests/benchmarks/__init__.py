"""Measurements of the whole; none of them is a test, and `pytest` collects none."""
