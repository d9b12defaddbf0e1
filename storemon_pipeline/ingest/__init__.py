"""Files and lines become rows; what cannot be read becomes a rejected row with its reason."""
