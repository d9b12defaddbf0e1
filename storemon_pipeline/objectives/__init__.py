"""Objectives for uptime: error budgets of calendar weeks and months. Pure computation."""
