"""The Dagster shell: assets, checks, jobs, schedules and resources around the engine."""
