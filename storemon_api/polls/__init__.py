"""The poll plan over HTTP."""
