"""Signing in and out, choosing a password, and managing accounts."""
