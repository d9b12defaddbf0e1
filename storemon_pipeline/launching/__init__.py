"""Starting Dagster runs fast: the run launcher and the process that forks runs."""
