"""The asset of the lake."""
