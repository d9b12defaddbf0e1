"""Webhooks of platforms: their settings, signatures, and messages that become events."""
