"""Types and constants that several rooms share: units, windows, sources, rejected rows."""
