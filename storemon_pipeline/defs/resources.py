"""What the assets are given from outside: the database and the data folder."""

import dagster as dg


class Database(dg.ConfigurableResource[None]):
    """The storemon database, by its URL."""

    url: str


class DataFolder(dg.ConfigurableResource[None]):
    """The folder in which the sources' files lie: a local path, or a URL that fsspec reads."""

    path: str
