"""The command `storemon`."""


def main() -> None:
    """Run the command line."""
