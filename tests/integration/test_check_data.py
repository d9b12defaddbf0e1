"""Contradictions between polls and listed data are the same in chunks of stores."""

from pathlib import Path

import numpy as np

from planted_mistakes import draw_fleet, draw_polls, plant, write_files
from storemon_pipeline.checks.contradictions import check_data
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.sample_data import DEFAULT_END
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals


def test_findings_are_the_same_some_stores_at_a_time(database_url: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    fleet = draw_fleet(rng, 400)
    planted = np.concatenate(plant(rng, fleet))
    write_files(tmp_path, fleet, *draw_polls(rng, fleet))
    for source in (Source.STORE_STATUS, Source.BUSINESS_HOURS, Source.STORE_TIMEZONES):
        ingest_source(
            database_url, tmp_path, source, now=DEFAULT_END.replace(year=2024), run_id=None
        )
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    whole, parts = check_data(database_url), check_data(database_url, stores_per_chunk=37)
    assert whole is not None
    assert parts is not None
    found = whole.contradictions
    named = {int(whole.stores.store_ids[store].as_py()) for store in found.store.tolist()}
    assert len(named & set(planted.tolist())) > 0.9 * len(planted)
    assert parts.contradictions.store.tolist() == found.store.tolist()
    assert parts.contradictions.kind == found.kind
    assert parts.contradictions.by_us.tolist() == found.by_us.tolist()
