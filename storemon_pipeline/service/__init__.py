"""What `storemon up` runs: the home folder, the embedded database and the supervised processes."""
