"""Sales lost, as bodies of responses and columns of files."""
