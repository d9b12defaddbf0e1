"""A simulated day with 30 planted outages: the messages are those written down here by hand.

Three time zones, polled on every half hour; each step pushes what was polled, looks for alerts and
sends what waits. A store that is polled as inactive from 09:00 on was last active at 08:30, so that
its incident begins at 08:45. Clocks are UTC, from Monday 23 January 2023 on past 24:00.
"""

from datetime import timedelta
from typing import Final

import pytest

from receiver import Receiver, receiving
from stored import Row, at, at_us, execute, fetch, load_hours, load_rows, load_zones
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.deliver import deliver_alerts
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.alerts.targets import labelled
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.views.fleet_view import read_fleet

# Open 07:00 to 19:00 UTC; the first twenty are the group Nord.
BERLIN: Final = [f"B{number:02}" for number in range(1, 41)]
NORD: Final = BERLIN[:20]
# Open 15:00 to 27:00 UTC.
CHICAGO: Final = [f"C{number:02}" for number in range(1, 41)]
# Always open.
TOKYO: Final = [f"T{number:02}" for number in range(1, 13)]
END: Final = "34:00"

OUTAGES: Final = """
    T12 inactive -04:00 to 05:00  down when it is first looked
    B01 inactive 08:00 to 09:00   an hour
    B02 inactive 08:00 to 09:30   90 minutes, and not longer
    C01 inactive 17:00 to 18:00   an hour
    T01 inactive 03:00 to 04:00   an hour
    B03 inactive 09:00 to 13:00
    B04 inactive 10:00 to 12:00
    C02 inactive 18:00 to 20:30
    T02 inactive 06:00 to 23:00
    C03 inactive 16:00 to 99:00   and on
    B05 inactive 18:00 to 32:30   75 minutes before closing, the rest after opening
    B06 inactive 17:00 to 22:00   over closing time, and up by night
    B07 inactive 17:30 to 21:00   due when it closes: vanishes
    B08 inactive 04:00 to 08:00   before opening, and 45 minutes of business time
    B09 inactive 04:00 to 09:30   before opening, and long after
    B10 inactive 10:00 to 14:00   a closure, but for its first quarter of an hour
    B11 inactive 10:30 to 15:00   a closure lies in it
    B12 flapping 08:00 to 11:30   every other poll is inactive
    C04 inactive 17:00 to 23:00   a wrong poll in it, which is corrected
    C05 inactive 17:00 to 19:00   and 19:30 to 21:30
    T03 inactive 12:00 to 15:00   with five more: half of a time zone
    T04 inactive 12:00 to 15:00
    T05 inactive 12:00 to 15:00
    T06 inactive 12:00 to 15:00
    T07 inactive 12:00 to 15:00
    T08 inactive 12:00 to 17:00   for longer than the others
    B13 inactive 16:00 to 16:30   with B14 to B18: 30 % of a group; and 17:00 to 18:00
    C06 silent   16:00 to 23:30
    B19 silent   05:30 to 12:30   of which five hours and a half are business time
    C07 silent   23:30 to 28:00   of which three hours and a half are business time
"""

AGAIN: Final = """
    C05 inactive 19:30 to 21:30
    B13 inactive 17:00 to 18:00
    B14 inactive 16:00 to 16:30
    B14 inactive 17:00 to 18:00
    B15 inactive 16:00 to 16:30
    B15 inactive 17:00 to 18:00
    B16 inactive 16:00 to 16:30
    B16 inactive 17:00 to 18:00
    B17 inactive 16:00 to 16:30
    B17 inactive 17:00 to 18:00
    B18 inactive 16:00 to 16:30
    B18 inactive 17:00 to 18:00
"""
"""What else belongs to the outages above."""

NO_OWN: Final = "They get no alerts of their own until this is over."
STAY: Final = "Stores that stay offline get alerts of their own."
LOST: Final = "Opening hours lost:"
SO_FAR: Final = "Opening hours lost so far:"

MON: Final = "Mon 23 Jan 2023"
TUE: Final = "Tue 24 Jan 2023"

MESSAGES: Final = [
    (
        f"07:30 Offline: store T02 | Store T02 has been offline since {MON} 14:45 (Asia/Tokyo). "
        f"{SO_FAR} 1 h 45 min."
    ),
    (
        f"09:00 Offline: store B09 | Store B09 has been offline since {MON} 04:45 (Europe/Berlin). "
        f"{SO_FAR} 2 h."
    ),
    (
        f"09:30 Back online: store B09 | Store B09 was offline from {MON} 04:45 (Europe/Berlin) to "
        f"{MON} 10:15 (Europe/Berlin). {LOST} 2 h 15 min."
    ),
    (
        "10:30 Offline: Alexanderplatz (B03) | Alexanderplatz (B03) has been offline since "
        f"{MON} 09:45 (Europe/Berlin). {SO_FAR} 1 h 45 min."
    ),
    (
        f"11:30 Offline: store B04 | Store B04 has been offline since {MON} 10:45 (Europe/Berlin). "
        f"{SO_FAR} 1 h 45 min."
    ),
    (
        f"12:00 Back online: store B04 | Store B04 was offline from {MON} 10:45 (Europe/Berlin) to "
        f"{MON} 12:45 (Europe/Berlin). {LOST} 2 h."
    ),
    (
        "12:00 Widespread outage: time zone Asia/Tokyo | 7 of 12 open stores (58 %) were offline "
        f"at {MON} 21:00 (Asia/Tokyo). {NO_OWN}"
    ),
    (
        "13:00 Back online: Alexanderplatz (B03) | Alexanderplatz (B03) was offline from "
        f"{MON} 09:45 (Europe/Berlin) to {MON} 13:45 (Europe/Berlin). "
        f"{LOST} 4 h."
    ),
    (
        f"14:00 Offline: store B11 | Store B11 has been offline since {MON} 11:15 (Europe/Berlin). "
        f"{SO_FAR} 1 h 45 min."
    ),
    (
        f"15:00 Back online: store B11 | Store B11 was offline from {MON} 11:15 (Europe/Berlin) to "
        f"{MON} 15:45 (Europe/Berlin). {LOST} 2 h 30 min."
    ),
    (
        f"15:00 Offline: store T08 | Store T08 has been offline since {MON} 20:45 (Asia/Tokyo). "
        f"{SO_FAR} 3 h 15 min."
    ),
    (
        f"15:00 Widespread outage is over: time zone Asia/Tokyo | Most open stores were online "
        f"again at {TUE} 00:00 (Asia/Tokyo). {STAY}"
    ),
    (
        "16:00 Widespread outage: group Nord | 6 of 20 open stores (30 %) were offline at "
        f"{MON} 16:00 UTC. {NO_OWN}"
    ),
    (
        f"16:30 Widespread outage is over: group Nord | Most open stores were online again "
        f"at {MON} 16:30 UTC. {STAY}"
    ),
    (
        f"17:00 Back online: store T08 | Store T08 was offline from {MON} 20:45 (Asia/Tokyo) to "
        f"{TUE} 01:45 (Asia/Tokyo). {LOST} 5 h."
    ),
    (
        f"17:30 Offline: store C03 | Store C03 has been offline since {MON} 09:45 "
        f"(America/Chicago). {SO_FAR} 1 h 45 min."
    ),
    (
        "17:30 Widespread outage: group Nord | 8 of 20 open stores (40 %) were offline at "
        f"{MON} 17:30 UTC. {NO_OWN}"
    ),
    (
        f"18:00 Widespread outage is over: group Nord | Most open stores were online again "
        f"at {MON} 18:00 UTC. {STAY}"
    ),
    (
        f"18:30 Offline: store B06 | Store B06 has been offline since {MON} 17:45 (Europe/Berlin). "
        f"{SO_FAR} 1 h 45 min."
    ),
    (
        f"18:30 Offline: store C04 | Store C04 has been offline since {MON} 10:45 "
        f"(America/Chicago). {SO_FAR} 1 h 45 min."
    ),
    (
        f"18:30 Offline: store C05 | Store C05 has been offline since {MON} 10:45 "
        f"(America/Chicago). {SO_FAR} 1 h 45 min."
    ),
    (
        f"19:00 Back online: store C05 | Store C05 was offline from {MON} 10:45 (America/Chicago) "
        f"to {MON} 12:45 (America/Chicago). {LOST} 2 h."
    ),
    (
        f"19:30 Offline: store C02 | Store C02 has been offline since {MON} 11:45 "
        f"(America/Chicago). {SO_FAR} 1 h 45 min."
    ),
    (
        f"20:00 Back online: store C04 | Store C04 was offline from {MON} 10:45 (America/Chicago) "
        f"to {MON} 13:45 (America/Chicago). {LOST} 3 h."
    ),
    (
        f"20:30 Back online: store C02 | Store C02 was offline from {MON} 11:45 (America/Chicago) "
        f"to {MON} 14:15 (America/Chicago). {LOST} 2 h 30 min."
    ),
    # By 20:30 it was known that C04 had never been up; it may be told again an hour after 20:00.
    (
        f"21:00 Offline: store C04 | Store C04 has been offline since {MON} 10:45 "
        f"(America/Chicago). {SO_FAR} 4 h 15 min."
    ),
    (
        f"21:00 Offline: store C05 | Store C05 has been offline since {MON} 13:15 "
        f"(America/Chicago). {SO_FAR} 1 h 45 min."
    ),
    (
        f"21:30 Back online: store C05 | Store C05 was offline from {MON} 13:15 (America/Chicago) "
        f"to {MON} 15:15 (America/Chicago). {LOST} 2 h."
    ),
    (
        f"22:00 No data: store C06 | Nothing was received from store C06 since {MON} 09:30 "
        "(America/Chicago). Opening hours without data: 6 h 30 min."
    ),
    (
        f"23:00 Back online: store C04 | Store C04 was offline from {MON} 10:45 (America/Chicago) "
        f"to {MON} 16:45 (America/Chicago). {LOST} 6 h."
    ),
    (
        f"23:00 Back online: store T02 | Store T02 was offline from {MON} 14:45 (Asia/Tokyo) to "
        f"{TUE} 07:45 (Asia/Tokyo). {LOST} 17 h."
    ),
    (
        "23:30 Data again: store C06 | Data from store C06 is received again. Last check: "
        f"{MON} 17:30 (America/Chicago)."
    ),
    # Up since 22:00, when it was closed: told when it opens.
    (
        f"31:00 Back online: store B06 | Store B06 was offline from {MON} 17:45 (Europe/Berlin) to "
        f"{MON} 22:45 (Europe/Berlin). {LOST} 2 h 15 min."
    ),
    (
        f"31:30 Offline: store B05 | Store B05 has been offline since {MON} 18:45 (Europe/Berlin). "
        f"{SO_FAR} 1 h 45 min."
    ),
    (
        f"32:30 Back online: store B05 | Store B05 was offline from {MON} 18:45 (Europe/Berlin) to "
        f"{TUE} 09:15 (Europe/Berlin). {LOST} 2 h 30 min."
    ),
]


def planted() -> dict[str, list[tuple[str, int, int]]]:
    """Read the outages by store: what it is like, from which poll on, up to which."""
    found: dict[str, list[tuple[str, int, int]]] = {}
    for line in f"{OUTAGES.strip()}\n{AGAIN.strip()}".splitlines():
        store_id, kind, start, _, end, *_ = line.split()
        found.setdefault(store_id, []).append((kind, at_us(start), at_us(end)))
    return found


def polled(store_id: str, polled_us: int, outages: list[tuple[str, int, int]]) -> list[Row]:
    """What is polled of a store at an instant: a row or nothing."""
    is_active = True
    for kind, start_us, end_us in outages:
        if start_us <= polled_us < end_us:
            if kind == "silent":
                return []
            number = (polled_us - start_us) // (1800 * 1_000_000)
            is_active = kind == "flapping" and number % 2 == 1
    return [(store_id, polled_us, is_active)]


def arrivals(clock: str) -> list[Row]:
    """All rows that are pushed at an instant of the day."""
    outages, now_us = planted(), at_us(clock)
    rows = [
        row
        for store_id in BERLIN + CHICAGO + TOKYO
        for row in polled(store_id, now_us, outages.get(store_id, []))
    ]
    if clock == "20:00":
        rows.remove(("C04", now_us, False))
        rows.append(("C04", now_us, True))
    if clock == "20:30":
        rows.append(("C04", at_us("20:00"), False))
    return rows


def clocks(start: str, end: str) -> list[str]:
    """Every half hour from one clock to another, both included."""
    minutes = range((at_us(start) - at_us("00:00")) // 60_000_000, 60 * 34 + 1, 30)
    found = [f"{minute // 60:02}:{minute % 60:02}" for minute in minutes]
    return found[: found.index(end) + 1]


def push(url: str, rows: list[Row]) -> None:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        load_rows(bulk, rows, file_path=None)


@pytest.fixture
def fleet_url(database_url: str) -> str:
    """The URL of a database with the three zones' stores, their hours and closures."""
    # Of the day before only what makes T12 down when it is first looked.
    before = [("T12", at_us(f"-{hour:02}:00"), hour > 4) for hour in range(6, 0, -1)]
    push(database_url, before + arrivals("00:00"))
    load_zones(
        database_url,
        *(f"{store_id},Europe/Berlin" for store_id in BERLIN),
        *(f"{store_id},America/Chicago" for store_id in CHICAGO),
        *(f"{store_id},Asia/Tokyo" for store_id in TOKYO),
    )
    load_hours(
        database_url,
        *(f"{one},{day},08:00,20:00" for one in BERLIN for day in range(7)),
        *(f"{one},{day},09:00,21:00" for one in CHICAGO for day in range(7)),
    )
    members = ", ".join(f"'{store_id}'" for store_id in NORD)
    execute(
        database_url,
        "INSERT INTO closures (store_key, start_local, end_local, reason, load_id)"
        " SELECT store_key, '2023-01-23 11:00', '2023-01-23 15:00', 'stocktaking', 1"
        " FROM stores WHERE store_id = 'B10'",
        "INSERT INTO closures (store_key, start_local, end_local, reason, load_id)"
        " SELECT store_key, '2023-01-23 12:00', '2023-01-23 14:00', 'inspection', 1"
        " FROM stores WHERE store_id = 'B11'",
        "INSERT INTO store_details (store_key, name, group_name, load_id) SELECT store_key,"
        " CASE store_id WHEN 'B03' THEN 'Alexanderplatz' END, 'Nord', 1"
        f" FROM stores WHERE store_id IN ({members})",
    )
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    return database_url


def live_through_the_day(url: str, receiver: Receiver) -> list[str]:
    """What is received, with the clock of its step, in the order of clocks and then of titles."""
    targets = labelled([receiver.url])
    received = []
    for clock in clocks("00:00", END):
        if clock != "00:00":
            push(url, arrivals(clock))
        now = at(clock) + timedelta(minutes=1)
        watched = evaluate_rules(
            url, rules=Rules(), notification=Notification(tuple(targets)), now=now, is_loading=False
        )
        assert watched is not None
        deliver_alerts(url, targets, now=now)
        received += sorted(f"{clock} {message}" for message in receiver.messages)
        receiver.taken.clear()
    return received


def test_thirty_outages_of_a_day_give_the_messages_that_were_written_down(fleet_url: str) -> None:
    assert len(OUTAGES.strip().splitlines()) == 30
    with receiving() as receiver:
        assert live_through_the_day(fleet_url, receiver) == MESSAGES
    still_open = fetch(fleet_url, "SELECT kind, subject FROM alerts WHERE closed_at IS NULL")
    assert still_open == [{"kind": "down", "subject": "C03"}]
    # What an open alert has cost is what the pages say of its incident.
    now = read_fleet(fleet_url)
    assert now is not None
    assert [now.store_ids[store] for store in now.incidents.store.tolist()] == ["C03"]
    lost = fetch(fleet_url, "SELECT lost_us FROM alerts WHERE closed_at IS NULL")
    assert [row["lost_us"] for row in lost] == now.incidents.lost_us.tolist()
    states = fetch(fleet_url, "SELECT state, count(*) AS n FROM alert_deliveries GROUP BY state")
    assert states == [{"state": "sent", "n": len(MESSAGES)}]
    untold = fetch(fleet_url, "SELECT subject, ending FROM alerts WHERE NOT is_told")
    assert untold == [{"subject": "T12", "ending": "up again"}]
