"""Statements that were sent: kept as they were, revised when the data change, and delivered."""
