"""Routes that push polls, events, hours, zones and closures."""
