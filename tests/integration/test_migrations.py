"""Databases are created, connected to, and migrated to the newest schema."""

import hashlib
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import make_url

from databases import Databases
from schema_snapshot import dump, migrate_to, statements
from stored import at_us, load, load_rows, stored_polls, stored_runs
from storemon_pipeline.database import migrate as migrate_module
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import (
    create_engine,
    ensure_database,
    has_tables,
    libpq_url,
    sqlalchemy_url,
)
from storemon_pipeline.database.migrate import SNAPSHOT, alembic_config, migrate
from storemon_pipeline.database.schema_version import is_current
from storemon_pipeline.database.tables import metadata
from storemon_pipeline.domain.rejections import Reason
from storemon_pipeline.reports.csv_file import HEADER
from storemon_pipeline.reports.rows import read_csv_chunk, read_report_table

REVISIONS = [
    script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()
][::-1]

NewDatabase = Callable[[], str]


@pytest.fixture
def new_database(server_url: str) -> Iterator[NewDatabase]:
    """Make databases without tables; all are dropped after the test."""
    names: list[str] = []

    def make() -> str:
        names.append(f"empty_{uuid.uuid4().hex}")
        url = sqlalchemy_url(server_url).set(database=names[-1])
        ensure_database(url.render_as_string(hide_password=False))
        return url.render_as_string(hide_password=False)

    yield make
    server = sa.create_engine(
        sqlalchemy_url(server_url).set(database="postgres"),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.pool.NullPool,
    )
    with server.connect() as connection:
        for name in names:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.pool.NullPool)
    with closing(engine.connect()) as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def run(url: str, *statements: str) -> None:
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def is_newest(url: str) -> bool:
    engine = create_engine(url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        answer = is_current(connection)
    engine.dispose()
    return answer


OURS = """
    c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'alembic_version%'
"""
SCHEMA = {
    "tables": f"""
        SELECT c.relname, c.relkind, c.reloptions::text, pg_get_partkeydef(c.oid),
               obj_description(c.oid, 'pg_class')
        FROM pg_class c WHERE {OURS} AND c.relkind IN ('r', 'p', 'v') ORDER BY 1
    """,
    "columns": f"""
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attidentity, l.collname, pg_get_expr(d.adbin, d.adrelid),
               col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE {OURS} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY 1, 2
    """,
    "constraints": f"""
        SELECT c.relname, k.conname, k.contype, pg_get_constraintdef(k.oid)
        FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid WHERE {OURS} ORDER BY 1, 2
    """,
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1, 2
    """,
}


def test_the_migrated_schema_is_that_of_the_tables(
    new_database: NewDatabase, database_url: str
) -> None:
    migrated, created = database_url, new_database()
    engine = sa.create_engine(sqlalchemy_url(created), poolclass=sa.pool.NullPool)
    metadata.create_all(engine)
    for query in SCHEMA.values():
        found = ask(migrated, query)
        assert found
        assert found == ask(created, query)


def test_a_new_database_is_what_the_migrations_make_of_an_empty_one(databases: Databases) -> None:
    revision = re.search(r"INSERT INTO alembic_version VALUES \('(\d+)'\)", SNAPSHOT.read_text())
    assert revision is not None
    assert len(REVISIONS) - REVISIONS.index(revision[1]) <= 5, "run tests/schema_snapshot.py"
    with databases.empty() as migrated, databases.empty() as restored:
        migrate_to(migrated, revision[1])
        assert statements(migrated) == SNAPSHOT.read_text(), "run tests/schema_snapshot.py"
        run(restored, SNAPSHOT.read_text())
        assert dump(restored) == dump(migrated)


def test_a_snapshot_that_is_behind_is_brought_forward(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.empty() as older:
        migrate_to(older, REVISIONS[-3])
        (tmp_path / "older.sql").write_text(statements(older))
    monkeypatch.setattr(migrate_module, "SNAPSHOT", tmp_path / "older.sql")
    with databases.empty() as brought_forward, databases.empty() as migrated:
        migrate(brought_forward)
        migrate_to(migrated, REVISIONS[-1])
        assert dump(brought_forward) == dump(migrated)


def test_alembic_finds_nothing_to_change(database_url: str) -> None:
    engine = sa.create_engine(sqlalchemy_url(database_url), poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_a_database_is_current_after_its_migration(
    new_database: NewDatabase, database_url: str
) -> None:
    assert not is_newest(new_database())
    url = database_url
    assert is_newest(url)
    run(url, "UPDATE alembic_version SET version_num = '0000'")
    assert not is_newest(url)


def test_a_second_migration_changes_nothing(database_url: str) -> None:
    url = database_url
    load(url, "A 09:00 up", "A 10:00 down")
    before = ask(url, SCHEMA["tables"]), stored_polls(url), stored_runs(url)
    migrate(url)
    assert (ask(url, SCHEMA["tables"]), stored_polls(url), stored_runs(url)) == before


def test_two_migrations_at_once_are_one(new_database: NewDatabase) -> None:
    url = new_database()
    failures: list[Exception] = []
    start = threading.Barrier(2)

    def migrate_at_once() -> None:
        start.wait(180)
        try:
            migrate(url)
        except sa.exc.SQLAlchemyError as error:
            failures.append(error)

    migrations = [threading.Thread(target=migrate_at_once) for _ in range(2)]
    for migration in migrations:
        migration.start()
    for migration in migrations:
        migration.join(180)
    assert failures == []
    assert is_newest(url)


@pytest.fixture(scope="module")
def older_url(databases: Databases) -> Iterator[str]:
    """The URL of a database that each test takes to its revision, one after the other."""
    with databases.empty() as url:
        yield url


@pytest.mark.parametrize(
    "revision",
    [REVISIONS[0], *(pytest.param(other, marks=pytest.mark.slow) for other in REVISIONS[1:])],
)
def test_an_older_schema_is_brought_forward_with_its_rows(
    older_url: str, databases: Databases, revision: str
) -> None:
    migrate_to(older_url, revision)
    with databases.copied(older_url) as url:
        run(url, *ROWS_OF_THE_FIRST_RELEASE, *rows_of("A"))
        migrate(url)
        _check_that_rows_are_kept(url, ["A"])


def test_rows_that_any_older_schema_added_are_brought_forward(databases: Databases) -> None:
    """Each revision adds the rows of a store of its own, on the way from the first to the last."""
    with databases.empty() as url:
        for revision in REVISIONS:
            migrate_to(url, revision)
            if revision == REVISIONS[0]:
                run(url, *ROWS_OF_THE_FIRST_RELEASE)
            run(url, *rows_of(f"of {revision}"))
        _check_that_rows_are_kept(url, [f"of {revision}" for revision in REVISIONS])


def _check_that_rows_are_kept(url: str, stores: list[str]) -> None:
    assert is_newest(url)
    assert stored_polls(url) == [f"{store} 09:00 up" for store in stores]
    assert stored_runs(url) == [f"{store} 09:00 to 09:00 up, 1 poll" for store in stores]
    # What is loaded then belongs to what was there before.
    rows = [(store, at_us(clock), True) for store in stores for clock in ("10:00", "09:00")]
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        load_rows(bulk, rows, file_path=None)
    assert stored_runs(url) == [f"{store} 09:00 to 10:00 up, 2 polls" for store in stores]
    assert ask(url, "SELECT error FROM reports") == [("No polls.",)] * len(stores)


ROWS_OF_THE_FIRST_RELEASE = (
    "INSERT INTO database_parameters (max_gap_us) VALUES (10800000000)",
    """
    CREATE TABLE store_status_2023_01_23 PARTITION OF store_status
    FOR VALUES FROM ('2023-01-23Z') TO ('2023-01-30Z')
    """,
)


def rows_of(store_id: str) -> tuple[str, ...]:
    """Statements of the first release that add a store with one poll, and a failed report."""
    store = f"(SELECT store_key FROM stores WHERE store_id = '{store_id}')"
    load = "(SELECT max(load_id) FROM loads)"
    at = "'2023-01-23 09:00Z'"
    return (
        f"INSERT INTO stores (store_id) VALUES ('{store_id}')",
        """
        INSERT INTO loads (source, file_path, loaded_at, rows_read, rows_loaded, rows_replaced,
                           rows_unchanged, rows_rejected)
        VALUES ('store_status', 'store_status.csv', now(), 1, 1, 0, 0, 0)
        """,
        f"INSERT INTO store_status VALUES ({store}, {at}, true, {load})",
        f"INSERT INTO status_runs VALUES ({store}, {at}, {at}, true, 1)",
        """
        INSERT INTO reports (report_id, state, policy, error)
        VALUES (gen_random_uuid(), 'failed', 'nearest', 'No polls.')
        """,
    )


def test_rejected_rows_of_older_databases_get_the_reasons_of_today(
    new_database: NewDatabase,
) -> None:
    url = new_database()
    migrate_to(url, "0010")
    run(
        url,
        *ROWS_OF_THE_FIRST_RELEASE,
        *rows_of("A"),
        """
        INSERT INTO rejected_rows (load_id, line, row_text, reason)
        VALUES (1, 2, 'A,up,2999', 'poll lies in the future'), (1, 3, ',up,', 'no store id')
        """,
    )
    migrate(url)
    reasons = ask(url, "SELECT reason FROM rejected_rows ORDER BY line")
    assert reasons == [(Reason.FUTURE_POLL.value,), (Reason.NO_STORE_ID.value,)]


def test_what_dead_runs_left_of_reports_in_shards_is_gone(new_database: NewDatabase) -> None:
    url = new_database()
    migrate_to(url, "0041")
    run(
        url,
        """
        INSERT INTO report_results (result_id, as_of, policy, stores, silent_stores, run_id,
                                    csv_bytes, csv_chunks, csv_sha256)
        OVERRIDING SYSTEM VALUE
        VALUES (1, '2023-01-25Z', 'nearest', 1, 0, 'run', 0, 1, '')
        """,
        """
        INSERT INTO report_columns (result_id, part, stores, first_store_id, last_store_id, content)
        VALUES (1, 0, 1, 'A', 'A', ''), (2, 1000000, 1, 'A', 'A', ''), (2, 2000000, 1, 'B', 'B', '')
        """,
        """
        INSERT INTO result_shards (result_id, shard, run_id, is_report, as_of, is_newest, policy,
                                   first_store_id)
        SELECT result, shard, 'run', true, '2023-01-25Z', true, 'nearest', ''
        FROM generate_series(1, 2) result, generate_series(0, 1) shard
        """,
    )
    migrate(url)
    assert ask(url, "SELECT result_id, part FROM report_columns") == [(1, 0)]
    assert ask(url, "SELECT to_regclass('staged_uptime'), to_regclass('result_shards')") == [
        (None, None)
    ]


def test_reports_of_older_databases_keep_every_row_and_byte(new_database: NewDatabase) -> None:
    url = new_database()
    migrate_to(url, "0018")
    hour, minute = 3_600_000_000, 60_000_000
    # Business, up, down, lowest, highest and observed time; each for an hour, a day and a week.
    exact = {
        "=1": "60m 9h 63h  59m 9h 60h  1m 0h 3h  58m 8h 59h  60m 9h 61h  60m 9h 63h",
        'x"y': "0m 5h 25h  0m 0h 0h  0m 5h 25h  0m 0h 0h  0m 1h 1h  0m 5h 20h",
    }
    rounded = {
        "=1": "59.0000, 9.0000, 60.0000, 1.0000, 0.0000, 3.0000",
        'x"y': "0.0000, 0.0000, 0.0000, 0.0000, 5.0000, 25.0000",
    }
    csv = (
        f"{HEADER}\n"
        "'=1,59.0000,9.0000,60.0000,1.0000,0.0000,3.0000\n"
        '"x""y",0.0000,0.0000,0.0000,0.0000,5.0000,25.0000\n'
    )
    amounts = ", ".join(f"{name}_last_{window}_us" for name in OLD_AMOUNTS for window in WINDOWS)
    figures = ", ".join(
        f"{name}_last_{window}_{'minutes' if window == 'hour' else 'hours'}"
        for name in ("uptime", "downtime")
        for window in WINDOWS
    )
    run(
        url,
        "INSERT INTO stores (store_id) VALUES ('x\"y')",
        "INSERT INTO former_stores (store_key, store_id) VALUES (7, '=1')",
    )
    for result_id, content in enumerate([csv, csv.replace("9.0000", "9.0001")], 1):
        digest = hashlib.sha256(content.encode()).hexdigest()
        run(
            url,
            f"""
            INSERT INTO report_results (result_id, as_of, policy, stores, silent_stores, run_id,
                                        csv_bytes, csv_chunks, csv_sha256)
            OVERRIDING SYSTEM VALUE
            VALUES ({result_id}, now(), 'nearest', 2, 0, 'run', {len(content)}, 3, '{digest}')
            """,
            f"""
            INSERT INTO reports (report_id, state, policy, result_id)
            VALUES (gen_random_uuid(), 'complete', 'nearest', {result_id})
            """,
            *(
                f"""
                INSERT INTO report_csv
                VALUES ({result_id}, {chunk}, decode('{part.encode().hex()}', 'hex'))
                """
                for chunk, part in enumerate([content[:50], content[50:51], content[51:]])
            ),
            *(
                f"""
                INSERT INTO uptime_report (result_id, store_key, {figures}, {amounts})
                SELECT {result_id}, store_key, {rounded[store_id]}, {
                    ", ".join(
                        str(int(time[:-1]) * (hour if time[-1] == "h" else minute))
                        for time in exact[store_id].split()
                    )
                }
                FROM (SELECT * FROM stores UNION SELECT * FROM former_stores) s
                WHERE store_id = '{store_id}'
                """
                for store_id in exact
            ),
        )
    before = ask(
        url,
        f"""
        SELECT store_id, {figures}, {amounts} FROM uptime_report
        JOIN (SELECT * FROM stores UNION SELECT * FROM former_stores) s USING (store_key)
        WHERE result_id = 1 ORDER BY store_id COLLATE "C"
        """,
    )
    migrate(url)
    engine = create_engine(url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        for result_id, chunks, content in ((1, 1, csv), (2, 3, csv.replace("9.0000", "9.0001"))):
            rows = read_report_table(connection, result_id).to_pylist()
            # Likely ranges came later.
            assert [tuple(row.values()) for row in rows] == [(*row, *[None] * 6) for row in before]
            read = [read_csv_chunk(connection, result_id, chunk) for chunk in range(chunks)]
            assert b"".join(read).decode() == content
    engine.dispose()
    # A CSV that does not follow from the rows stays as it is.
    assert ask(url, "SELECT DISTINCT result_id FROM report_csv") == [(2,)]
    assert ask(url, "SELECT csv_chunks FROM report_results ORDER BY result_id") == [(1,), (3,)]


OLD_AMOUNTS = ("business", "uptime", "downtime", "lowest_uptime", "highest_uptime", "observed")
WINDOWS = ("hour", "day", "week")


def test_a_migration_that_fails_leaves_nothing(new_database: NewDatabase) -> None:
    url = new_database()
    run(url, "CREATE TABLE report_columns (result_id bigint)")
    with pytest.raises(sa.exc.ProgrammingError, match="already exists"):
        migrate(url)
    assert [row[0] for row in ask(url, SCHEMA["tables"])] == ["report_columns"]
    run(url, "DROP TABLE report_columns")
    migrate(url)
    assert is_newest(url)


def test_a_newer_schema_is_refused(database_url: str) -> None:
    url = database_url
    run(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CommandError, match="9999"):
        migrate(url)


class TestDatabases:
    """A database is made on its server where it is missing."""

    @pytest.fixture
    def name(self, server_url: str) -> Iterator[str]:
        """A name that has to be quoted."""
        name = f'Storemon "{uuid.uuid4().hex}"'
        yield name
        server = sa.create_engine(
            sqlalchemy_url(server_url).set(database="postgres"),
            isolation_level="AUTOCOMMIT",
            poolclass=sa.pool.NullPool,
        )
        quoted = name.replace('"', '""')
        with server.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{quoted}" WITH (FORCE)'))

    def test_it_is_made_once_and_then_left_alone(self, server_url: str, name: str) -> None:
        url = sqlalchemy_url(server_url).set(database=name).render_as_string(hide_password=False)
        ensure_database(url)
        run(url, "CREATE TABLE kept (id int)")
        ensure_database(url)
        assert ask(url, "SELECT count(*) FROM kept") == [(0,)]
        assert ask(url, "SHOW server_encoding") == [("UTF8",)]

    def test_two_that_make_it_at_once_both_find_it(self, server_url: str, name: str) -> None:
        url = sqlalchemy_url(server_url).set(database=name).render_as_string(hide_password=False)
        failures: list[Exception] = []
        start = threading.Barrier(3)

        def make_at_once() -> None:
            start.wait(180)
            try:
                ensure_database(url)
            except sa.exc.SQLAlchemyError as error:
                failures.append(error)

        makers = [threading.Thread(target=make_at_once) for _ in range(3)]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join(180)
        assert failures == []
        assert ask(url, "SELECT 1") == [(1,)]

    def test_it_has_tables_once_it_was_migrated(
        self, new_database: NewDatabase, database_url: str
    ) -> None:
        assert not has_tables(new_database())
        assert has_tables(database_url)

    def test_a_server_that_is_not_there_is_an_error(self) -> None:
        with pytest.raises(sa.exc.OperationalError):
            ensure_database("postgresql://nobody@127.0.0.1:1/nothing")


def test_sessions_use_utc_whatever_the_server_is_set_to(database_url: str) -> None:
    name = sqlalchemy_url(database_url).database
    run(database_url, f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'")
    engine = create_engine(database_url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        instant = sa.text("SELECT '2023-01-25 18:13:22Z'::timestamptz, '2023-01-25'::timestamptz")
        assert tuple(connection.execute(instant).one()) == (
            datetime(2023, 1, 25, 18, 13, 22, tzinfo=UTC),
            datetime(2023, 1, 25, tzinfo=UTC),
        )
    engine.dispose()
    load(database_url, "A 09:00 up", "A 167:30 up", "A 168:30 down")
    assert stored_polls(database_url) == ["A 09:00 up", "A 167:30 up", "A 168:30 down"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql+psycopg://me:p%40ss@db:5433/storemon",
            "postgresql://me:p%40ss@db:5433/storemon?connect_timeout=5",
        ),
        (
            "postgresql:///storemon?host=/run/pg&connect_timeout=30",
            "postgresql:///storemon?connect_timeout=30&host=%2Frun%2Fpg",
        ),
    ],
)
def test_connecting_has_a_limit_for_the_bulk_driver_too(url: str, expected: str) -> None:
    made = make_url(libpq_url(url))
    assert made == make_url(expected)
