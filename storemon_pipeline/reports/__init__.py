"""Report requests, their results and files."""
