"""A number with its noun, for messages and the command line."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 store`, `1,312 stores`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
