"""Routes that request, poll, download, list and compare reports."""
