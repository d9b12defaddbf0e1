"""Alerts, pure: what is wrong, what of it people are told, in which words. No clock, no SQL."""
