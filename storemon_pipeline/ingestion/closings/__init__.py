"""Closing many stores in one step, and taking that back."""
