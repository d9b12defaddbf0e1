"""This machine: the home folder, child processes, signals, the embedded PostgreSQL."""
