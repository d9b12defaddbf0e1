"""The lake tier: polls, status runs and weeks as Parquet files in buckets of stores, at any URL."""
