"""Report requests, their results, files and shards."""
