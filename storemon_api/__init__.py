"""The HTTP facade: triggers report runs, maps their status, serves their results."""
