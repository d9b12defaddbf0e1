"""Writes the snapshot that an empty database is made from: run this file after a new migration."""

import re
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from storemon_pipeline.database.connections import ensure_database, libpq_url, sqlalchemy_url
from storemon_pipeline.database.migrate import SNAPSHOT, alembic_config
from storemon_pipeline.host.embedded_postgres import embedded_postgres, find_binaries

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


def main() -> None:
    """Write the snapshot of all migrations."""
    with tempfile.TemporaryDirectory() as home, embedded_postgres(Path(home)) as server:
        ensure_database(server.url)
        migrate_to(server.url, "head")
        SNAPSHOT.write_text(statements(server.url))


if __name__ == "__main__":
    main()
