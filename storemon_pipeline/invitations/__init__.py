"""Mails with the links with which people choose a password."""
