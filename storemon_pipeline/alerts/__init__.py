"""Alerts: conditions, evaluation, messages and their delivery."""
