"""Corrections: time of a store that somebody takes out or counts as up or down, with a reason."""
