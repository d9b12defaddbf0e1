"""The commands about the lake."""
