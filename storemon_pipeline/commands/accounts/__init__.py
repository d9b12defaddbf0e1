"""The commands `storemon accounts`."""
