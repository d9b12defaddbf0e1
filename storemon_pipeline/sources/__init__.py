"""The sources of the data folder: their registry, their files and the settings of these."""
