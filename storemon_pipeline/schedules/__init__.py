"""Opening hours, time zones and closures: parsing, versions, weekly intervals, calendars."""
