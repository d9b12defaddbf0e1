"""Polls and the status runs made from them: parsing, writing, reading, pushing."""
