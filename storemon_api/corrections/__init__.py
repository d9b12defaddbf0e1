"""Routes that enter, list and take back corrections."""
