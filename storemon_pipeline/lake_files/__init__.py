"""The files of a lake: its folder, the manifest of each version, and data files of buckets."""
