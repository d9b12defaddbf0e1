"""A comparison of opening hours in the notation of OpenStreetMap with opening_hours.js."""
