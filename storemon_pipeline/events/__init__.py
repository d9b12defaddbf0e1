"""Events beside polls: parsing, the table, and reading status runs with events."""
