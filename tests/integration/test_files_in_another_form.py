"""Loading files in another form, whose settings change while the files grow."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from stored import fetch
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.source_load import SourceLoad
from storemon_pipeline.ingestion.watch_files import is_all_read, list_files
from storemon_pipeline.loads.load_log import RowCounts

NOW = datetime(2023, 2, 1, tzinfo=UTC)
SEMICOLONS = '[store_status]\ndelimiter = ";"\nactive = ["up"]\ninactive = ["down"]\n'
HEADER = "store_id;status;timestamp_utc\n"


def load(url: str, data: Path, source: Source = Source.STORE_STATUS) -> SourceLoad:
    return ingest_source(url, data, source, now=NOW, run_id=None)


def polls(url: str) -> list[tuple[str, str, bool]]:
    rows = fetch(
        url,
        """
        SELECT store_id, to_char(polled_at AT TIME ZONE 'UTC', 'HH24:MI') AS at, is_active
        FROM store_status JOIN stores USING (store_key) ORDER BY store_id, polled_at
        """,
    )
    return [(row["store_id"], row["at"], row["is_active"]) for row in rows]


def test_of_a_growing_file_with_semicolons_only_new_lines_are_read(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "sources.toml").write_text(SEMICOLONS)
    file = tmp_path / "export.csv"
    file.write_text(HEADER + 'A;up;2023-01-25 10:00\n"B;1";down;2023-01-25 10:00\nC;up;2023-01-2')
    assert load(database_url, tmp_path).row_counts.loaded == 2
    with file.open("a") as end:
        end.write("5 11:00\n")
    assert load(database_url, tmp_path).row_counts == RowCounts(1, 0, 0, 0)
    assert polls(database_url) == [
        ("A", "10:00", True),
        ("B;1", "10:00", False),
        ("C", "11:00", True),
    ]
    assert is_all_read(database_url, list_files(tmp_path, now=NOW))


def test_after_a_change_of_settings_the_files_are_read_again(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "sources.toml").write_text(SEMICOLONS)
    (tmp_path / "store_status.csv").write_text(
        HEADER + "A;up;2023-01-25 10:00\nB;ok;2023-01-25 10:00\n"
    )
    assert load(database_url, tmp_path).row_counts == RowCounts(1, 0, 0, 1)
    before = list_files(tmp_path, now=NOW).digest
    (tmp_path / "sources.toml").write_text(SEMICOLONS.replace('"up"', '"up", "ok"'))
    listing = list_files(tmp_path, now=NOW)
    assert listing.digest != before
    assert not is_all_read(database_url, listing)
    assert load(database_url, tmp_path).row_counts == RowCounts(1, 0, 1, 0)
    assert polls(database_url) == [("A", "10:00", True), ("B", "10:00", True)]
    assert load(database_url, tmp_path).loads == ()


def test_a_snapshot_is_read_again_after_a_change_of_settings(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "business_hours.csv").write_text(
        "store_id,day,start_time_local,end_time_local\nA,1,09:00,17:00\n"
    )
    assert load(database_url, tmp_path, Source.BUSINESS_HOURS).row_counts.loaded == 1
    (tmp_path / "sources.toml").write_text('[business_hours]\nweekdays = "1-7"\n')
    load(database_url, tmp_path, Source.BUSINESS_HOURS)
    days = fetch(database_url, "SELECT day_of_week FROM business_hours ORDER BY load_id")
    assert [row["day_of_week"] for row in days] == [1, 0]


def test_a_bad_setting_fails_the_load_with_one_sentence(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text('[store_status]\ndelimiter = ""\n')
    with pytest.raises(dg.Failure) as caught, map_failures():
        load(database_url, tmp_path)
    assert (caught.value.description, caught.value.allow_retries) == (
        'sources.toml, line 2: delimiter is one character such as ";" or "\\t"',
        False,
    )


def test_of_growing_json_lines_only_new_lines_are_read(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    line = '{"store_id": "A", "status": "active", "timestamp_utc": "2023-01-25 1%d:00"}\n'
    file.write_text(line % 0 + line[:40])
    assert load(database_url, tmp_path).row_counts == RowCounts(1, 0, 0, 0)
    with file.open("a") as end:
        end.write(line[40:] % 1)
    assert load(database_url, tmp_path).row_counts == RowCounts(1, 0, 0, 0)
    assert polls(database_url) == [("A", "10:00", True), ("A", "11:00", True)]
    assert load(database_url, tmp_path).loads == ()


def test_the_rows_of_a_query_are_loaded_and_only_new_ones_read_on(
    database_url: str, tmp_path: Path
) -> None:
    shop = tmp_path / "shop.sqlite"
    engine = sa.create_engine(f"sqlite:///{shop}")

    def execute(statement: str) -> None:
        with engine.begin() as connection:
            connection.execute(sa.text(statement))

    execute("CREATE TABLE checks (shop INTEGER, at TEXT, state TEXT)")
    execute("INSERT INTO checks VALUES (8419537941919820732, '2023-01-25 10:00', 'up')")
    (tmp_path / "sources.toml").write_text(
        f"""
        [store_status]
        database = "sqlite:///{shop}"
        query = "SELECT shop AS store_id, at || ':00' AS timestamp_utc, state AS status FROM checks"
        active = ["up"]
        inactive = ["down"]
        """
    )
    assert load(database_url, tmp_path).row_counts == RowCounts(1, 0, 0, 0)
    assert load(database_url, tmp_path).loads == ()
    execute("INSERT INTO checks VALUES (1, '2023-01-25 11:00', 'down')")
    (again,) = load(database_url, tmp_path).loads
    assert (again.file_path, again.row_counts) == ("store_status.query", RowCounts(1, 0, 0, 0))
    assert polls(database_url) == [("1", "11:00", False), ("8419537941919820732", "10:00", True)]
    engine.dispose()


def test_a_query_on_postgresql_reads_its_types(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text(
        f"""
        [store_status]
        database = "{database_url}"
        query = '''
        SELECT 8419537941919820732::numeric AS store_id, true AS status,
            '2023-01-25 05:00-05'::timestamptz AS timestamp_utc, to_char(now(), 'HH24:MI') AS x
        '''
        active = "true"
        """
    )
    assert load(database_url, tmp_path).row_counts == RowCounts(1, 0, 0, 0)
    assert polls(database_url) == [("8419537941919820732", "10:00", True)]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT 1 AS a", "no column store_id"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELECT lo_create(0) AS store_id", "read-only transaction"),
    ],
)
def test_a_query_that_cannot_be_used_is_refused_with_the_reason(
    database_url: str, tmp_path: Path, query: str, reason: str
) -> None:
    (tmp_path / "sources.toml").write_text(
        f'[store_status]\ndatabase = "{database_url}"\nquery = "{query}"\n'
    )
    (refused,) = load(database_url, tmp_path).refused
    assert refused.file_path == "store_status.query"
    assert reason in refused.reason


def test_a_database_that_does_not_answer_is_tried_again(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text(
        '[store_status]\ndatabase = "postgresql://a:secret@127.0.0.1:9/b"\nquery = "SELECT 1"\n'
    )
    with pytest.raises(dg.RetryRequested) as caught, map_failures():
        load(database_url, tmp_path)
    assert "secret" not in str(caught.value.__cause__)
