"""Lists of the API as files for spreadsheets."""
