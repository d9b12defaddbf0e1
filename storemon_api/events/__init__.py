"""Routes that push, list and cancel events of stores."""
