"""Types and constants that several rooms share: units and windows, sources, rejected rows."""
