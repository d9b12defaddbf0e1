"""Objectives for uptime: versions, which one holds for a store, and error budgets."""
