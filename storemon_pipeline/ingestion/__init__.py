"""Loading the data folder: finding files, reading what is new, undoing, replaying."""
