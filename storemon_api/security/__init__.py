"""Authentication, authorisation, rate limits and time limits for clients."""
