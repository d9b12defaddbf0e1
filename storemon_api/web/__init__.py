"""The web pages: templates, scripts, styles."""
