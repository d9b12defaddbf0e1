"""Statements: the figures, incidents and closures of stores in a local week or month."""
