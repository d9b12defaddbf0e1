"""Routes that push polls, hours, zones and closures."""
