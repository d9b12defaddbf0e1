"""Closing many stores in one step."""
