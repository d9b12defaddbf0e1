"""Records of what was loaded: loads, rejected rows, known files, undo."""
