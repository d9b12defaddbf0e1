"""Routes that push, receive, list and cancel events of stores, and sum their reasons."""
