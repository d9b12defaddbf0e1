"""The HTML of the pages, their files, and the JSON behind data health and reports."""

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from api_keys import new_key
from api_server import complete_report, failed_report, serve, waiting_report
from stored import execute, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source

PAGES = [
    *("/", "/store/7482936150293847561", "/pages/alerts", "/pages/objectives"),
    *("/pages/reports", "/pages/data", "/pages/accounts"),
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_only_files_of_this_server_that_exist(database_url: str, path: str) -> None:
    load(database_url, "7482936150293847561 09:00 up")
    with serve(database_url) as client:
        page = client.get(path)
        assert page.status_code == 200
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        addresses = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
        assert all(address.startswith("/") for address in addresses)
        files = [address for address in addresses if address.startswith("/static/")]
        assert len(files) >= 4
        for address in files:
            assert client.get(address).status_code == 200


def test_pages_answer_to_head_and_to_parameters_of_other_sites(database_url: str) -> None:
    load(database_url, "7482936150293847561 09:00 up")
    with serve(database_url) as client:
        for path in (*PAGES, "/manual", "/manual/figures"):
            assert client.head(f"{path}?utm_source=mail").status_code == 200, path


def test_the_id_of_a_store_cannot_break_out_of_its_page(database_url: str) -> None:
    with serve(database_url) as client:
        page = client.get("/store/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        assert page.status_code == 404
        assert "<script>alert" not in page.text


def test_the_page_of_an_unknown_store_is_404_and_a_page_all_the_same(database_url: str) -> None:
    load(database_url, "A 09:00 up", "front 09:00 up")
    execute(
        database_url,
        "INSERT INTO storefronts (storefront_key, storefront_id, store_key, channel)"
        " SELECT f.store_key, f.store_id, s.store_key, 'uber' FROM stores f, stores s"
        " WHERE f.store_id = 'front' AND s.store_id = 'A'",
        "DELETE FROM stores WHERE store_id = 'front'",
    )
    key = new_key(database_url, "owner of B", Scope.READ, stores={"B"})
    with serve(database_url) as client:
        headers = {"X-API-Key": new_key(database_url, "all", Scope.READ)}
        known = client.get("/store/A", headers=headers)
        assert known.status_code == 200
        # Text that no id can be, a storefront, and a store that nothing has ever named.
        for path in ("/store/%ED%A0%80", "/store/%00", "/store/front", "/store/Z"):
            for method in ("GET", "HEAD"):
                page = client.request(method, path, headers=headers)
                assert page.status_code == 404, path
                assert page.headers["Content-Type"] == "text/html; charset=utf-8"
                assert page.headers["Content-Security-Policy"]
        # Who may not see a store does not learn whether there is one.
        for path in ("/store/A", "/store/Z"):
            assert client.get(path, headers={"X-API-Key": key}).status_code == 200


def test_data_health_lists_loads_rejected_rows_and_missing_information(
    database_url: str,
) -> None:
    load(database_url, "A 09:00 up", "B 09:30 down")
    execute(
        database_url,
        "INSERT INTO loads (source, file_path, loaded_at, rows_read, rows_loaded, rows_replaced,"
        " rows_unchanged, rows_rejected, header) VALUES ('business_hours', 'business_hours.csv',"
        " now(), 2, 0, 0, 0, 2, 'day,store_id,start_time_local,end_time_local')",
        "INSERT INTO rejected_rows (load_id, line, row_text, reason) SELECT max(load_id), 2,"
        " '9,A,09:00,17:00', 'weekday is not 0 to 6' FROM loads",
        "INSERT INTO rejected_rows (load_id, line, row_text, reason) SELECT max(load_id), 3,"
        " '8,A,09:00,17:00', 'weekday is not 0 to 6' FROM loads",
    )
    with serve(database_url) as client:
        health = client.get("/data-health").json()
    assert {source["source"] for source in health["sources"]} == {"store_status", "business_hours"}
    (kind,) = health["rejected"]
    assert (kind["reason"], kind["rows"]) == ("weekday is not 0 to 6", 2)
    assert {example["line"] for example in kind["examples"]} == {2, 3}
    assert health["without_hours"]["total"] == 2
    assert health["without_timezone"]["store_ids"] == ["A", "B"]
    assert health["only_rejected_hours"] == {"total": 1, "store_ids": ["A"], "names": [None]}
    assert health["silent"]["total"] == 0
    assert health["contradictions"] == []


def test_data_health_names_refused_files_with_the_reason(database_url: str, tmp_path: Path) -> None:
    load(database_url, "A 09:00 up")
    (tmp_path / "closures.csv").write_text("store_id,reason\n*,storm\n")
    now = datetime(2023, 2, 1, tzinfo=UTC)
    ingest_source(database_url, tmp_path, Source.CLOSURES, now=now, run_id=None)
    with serve(database_url) as client:
        health = client.get("/data-health").json()
    assert health["unread_files_total"] == 1
    assert health["unread_files"] == [
        {
            "file": "closures.csv",
            "source": "closures",
            "reason": "no column start_local, no column end_local (found: store_id, reason): "
            'correct the header, or add the line columns = { start_local = "…", end_local = "…" } '
            "to sources.toml",
            "is_refused": True,
            "since": "2023-02-01T00:00:00Z",
        }
    ]


def test_rows_that_a_later_reading_of_a_snapshot_has_taken_do_not_wait(database_url: str) -> None:
    first = (
        "INSERT INTO loads (source, file_path, loaded_at, rows_read, rows_loaded, rows_replaced,"
        " rows_unchanged, rows_rejected) VALUES ('business_hours', 'business_hours.csv', now(),"
        " 1, 0, 0, 0, 1)"
    )
    execute(
        database_url,
        first,
        "INSERT INTO rejected_rows (load_id, line, row_text, reason) SELECT max(load_id), 2,"
        " 'x', 'no store id' FROM loads",
        first,
    )
    with serve(database_url) as client:
        assert client.get("/data-health").json()["rejected"] == []


def test_reports_are_listed_with_the_newest_request_first(
    database_url: str, engine: sa.Engine
) -> None:
    done = complete_report(engine, b"header\n")
    failed = failed_report(engine, "Nothing to report on.")
    waiting = waiting_report(engine)
    with serve(database_url) as client:
        page = client.get("/reports").json()
        rows = {row["report_id"]: row for row in page["reports"]}
        assert [row["report_id"] for row in page["reports"]] == [waiting, failed, done]
        assert rows[done]["status"] == "Complete"
        assert rows[done]["stores"] == 3
        assert rows[failed]["error"] == "Nothing to report on."
        second = client.get("/reports?limit=1&offset=1").json()
        assert [row["report_id"] for row in second["reports"]] == [failed]
        assert second["total"] == 3


def test_static_files_are_revalidated_each_time(database_url: str) -> None:
    with serve(database_url) as client:
        answer: httpx.Response = client.get("/static/style.css")
        assert answer.headers["Cache-Control"] == "no-cache"
        again = client.get("/static/style.css", headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304
