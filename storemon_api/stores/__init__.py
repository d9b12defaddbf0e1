"""Routes about single stores and lists of stores."""
