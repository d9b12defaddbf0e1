"""Writes the snapshots that empty databases are made from.

Run this file after a new migration, and with a new version of Dagster.
"""

import re
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy.engine import make_url

from storemon_pipeline.database.connections import ensure_database, libpq_url, sqlalchemy_url
from storemon_pipeline.database.migrate import SNAPSHOT, alembic_config
from storemon_pipeline.host.embedded_postgres import embedded_postgres, find_binaries
from storemon_pipeline.service.databases import DAGSTER_SNAPSHOT

_RANDOM = re.compile(r"^\\(un)?restrict .*\n", re.MULTILINE)
_SESSION = re.compile(r"^(SET \w+ = .*;|SELECT pg_catalog\.set_config\(.*\);)\n", re.MULTILINE)
_COMMENTS = re.compile(r"^--.*\n", re.MULTILINE)


def dump(url: str) -> str:
    """Everything in the database, as pg_dump writes it."""
    arguments = [str(find_binaries() / "pg_dump"), "--no-owner", "--inserts", libpq_url(url)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return _RANDOM.sub("", done.stdout)


def statements(url: str) -> str:
    """The same as statements that any server takes, for the schema that the session uses."""
    text = _COMMENTS.sub("", _SESSION.sub("", dump(url))).replace("public.", "")
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def migrate_to(url: str, revision: str) -> None:
    """Run the migrations up to this one."""
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.pool.NullPool)
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def make_dagster_tables(url: str) -> None:
    """Have Dagster make its tables."""
    own = make_url(url).set(drivername="postgresql+psycopg2")
    DagsterPostgresStorage(own.render_as_string(hide_password=False))


def main() -> None:
    """Write the snapshots of all migrations, and of Dagster's tables."""
    with tempfile.TemporaryDirectory() as home, embedded_postgres(Path(home)) as server:
        ensure_database(server.url)
        migrate_to(server.url, "head")
        SNAPSHOT.write_text(statements(server.url))
        dagster = make_url(server.url).set(database="dagster")
        url = dagster.render_as_string(hide_password=False)
        ensure_database(url)
        make_dagster_tables(url)
        DAGSTER_SNAPSHOT.write_text(statements(url))


if __name__ == "__main__":
    main()
