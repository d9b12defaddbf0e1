"""What the assets are given from outside: the database and the data folder."""

from pathlib import Path

import dagster as dg


class Database(dg.ConfigurableResource[None]):
    """The storemon database, by its URL."""

    url: str


class DataFolder(dg.ConfigurableResource[None]):
    """The folder in which the sources' files lie."""

    path: str

    @property
    def folder(self) -> Path:
        """The folder as a path."""
        return Path(self.path)
