"""Messages of alerts: sent to a local receiver, failed, retried; the commands and the API."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from typer.testing import CliRunner, Result

from api_keys import new_key
from api_server import serve
from receiver import Receiver, receiving
from stored import execute, fetch, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.deliver import deliver_alerts, is_delivery_due
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.alerts.targets import labelled
from storemon_pipeline.commands.cli import app

NOW: Final = datetime(2023, 1, 23, 12, 0, tzinfo=UTC)
NOWHERE: Final = "json://127.0.0.1:1/5ecret-key"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def alarm(url: str, *addresses: str, stores: str = "A") -> None:
    """The stores are down since 09:00, and a message about each waits."""
    load(url, *(f"{store} 08:00 up" for store in stores))
    notification = Notification(tuple(labelled(list(addresses))))
    evaluate_rules(url, rules=Rules(), notification=notification, now=NOW, is_loading=False)
    load(url, *(f"{store} {clock} down" for store in stores for clock in ("09:00", "11:00")))
    evaluate_rules(url, rules=Rules(), notification=notification, now=NOW, is_loading=False)


def recover(url: str, *addresses: str, stores: str = "A") -> None:
    load(url, *(f"{store} 12:00 up" for store in stores))
    notification = Notification(tuple(labelled(list(addresses))))
    evaluate_rules(url, rules=Rules(), notification=notification, now=NOW, is_loading=False)


def deliver(url: str, *addresses: str, minutes: float = 0) -> tuple[int, int]:
    done = deliver_alerts(url, labelled(list(addresses)), now=NOW + timedelta(minutes=minutes))
    return done.sent, done.failed


def states(url: str) -> list[str]:
    """Read `opened sent, 1` for every message, in order."""
    rows = fetch(url, "SELECT * FROM alert_deliveries ORDER BY delivery_id")
    return [f"{row['change']} {row['state']}, {row['tries']}" for row in rows]


def is_due(url: str, minutes: float = 0) -> bool:
    return is_delivery_due(url, now=NOW + timedelta(minutes=minutes))


def test_a_message_is_sent_once(database_url: str, receiver: Receiver) -> None:
    alarm(database_url, receiver.url)
    assert is_due(database_url)
    assert deliver(database_url, receiver.url) == (1, 0)
    assert not is_due(database_url)
    assert deliver(database_url, receiver.url, minutes=100) == (0, 0)
    assert receiver.titles == ["Offline: store A"]
    assert states(database_url) == ["opened sent, 1"]


def test_a_message_that_is_refused_is_sent_again_later(
    database_url: str, receiver: Receiver
) -> None:
    alarm(database_url, receiver.url)
    receiver.status = 500
    assert deliver(database_url, receiver.url) == (0, 1)
    (row,) = fetch(database_url, "SELECT state, error, next_try_at FROM alert_deliveries")
    assert row["state"] == "waiting"
    assert "500" in row["error"]
    assert row["next_try_at"] == NOW + timedelta(minutes=1)
    assert not is_due(database_url, 0.9)
    assert deliver(database_url, receiver.url, minutes=1) == (0, 1)
    assert not is_due(database_url, 2.9)
    receiver.status = 200
    assert deliver(database_url, receiver.url, minutes=3) == (1, 0)
    assert states(database_url) == ["opened sent, 3"]
    assert receiver.titles == ["Offline: store A"]


def test_tries_end(database_url: str, receiver: Receiver) -> None:
    alarm(database_url, receiver.url)
    receiver.status = 500
    for hour in range(20):
        deliver(database_url, receiver.url, minutes=60 * hour)
    assert states(database_url) == ["opened failed, 9"]
    assert receiver.requests == 9
    assert not is_due(database_url, 6_000)


def test_an_error_tells_no_part_of_the_address(database_url: str) -> None:
    alarm(database_url, NOWHERE)
    assert deliver(database_url, NOWHERE) == (0, 1)
    for table in ("alert_deliveries", "alerts", "alert_watch"):
        assert "5ecret" not in str(fetch(database_url, f"SELECT * FROM {table}"))


def test_one_address_that_fails_holds_up_no_other(database_url: str, receiver: Receiver) -> None:
    alarm(database_url, NOWHERE, receiver.url, stores="ABC")
    # Of the three for the address that fails one was tried; the next go tries another.
    assert deliver(database_url, NOWHERE, receiver.url) == (3, 1)
    assert len(receiver.taken) == 3
    assert deliver(database_url, NOWHERE, receiver.url) == (0, 1)


def test_the_resolved_message_waits_for_the_firing_one(
    database_url: str, receiver: Receiver
) -> None:
    alarm(database_url, receiver.url)
    receiver.status = 500
    deliver(database_url, receiver.url)
    recover(database_url, receiver.url)
    assert deliver(database_url, receiver.url, minutes=0.5) == (0, 0)
    receiver.status = 200
    assert deliver(database_url, receiver.url, minutes=1) == (2, 0)
    assert receiver.titles == ["Offline: store A", "Back online: store A"]


def test_a_message_for_an_address_that_was_taken_out_of_the_settings_fails(
    database_url: str, receiver: Receiver
) -> None:
    alarm(database_url, receiver.url)
    assert deliver(database_url) == (0, 1)
    (row,) = fetch(database_url, "SELECT state, error FROM alert_deliveries")
    assert row == {"state": "failed", "error": "this address is no longer in the settings"}


def test_a_crash_between_sending_and_recording_sends_twice_at_most(
    database_url: str, receiver: Receiver
) -> None:
    def crash() -> None:
        """As if the process that has sent the message had died before it wrote that."""
        execute(
            database_url,
            "UPDATE alert_deliveries SET state = 'sending', claimed_at = '2023-01-23 12:00Z',"
            " is_repeated = tries > 1",
        )

    alarm(database_url, receiver.url)
    deliver(database_url, receiver.url)
    crash()
    assert deliver(database_url, receiver.url, minutes=4) == (0, 0)
    assert deliver(database_url, receiver.url, minutes=6) == (1, 0)
    crash()
    assert deliver(database_url, receiver.url, minutes=12) == (0, 0)
    assert states(database_url) == ["opened failed, 2"]
    assert receiver.titles == ["Offline: store A"] * 2


class TestApi:
    """GET /alerts."""

    @pytest.fixture
    def client(self, database_url: str, receiver: Receiver) -> Iterator[httpx.Client]:
        alarm(database_url, receiver.url, stores="ABC")
        deliver(database_url, receiver.url)
        recover(database_url, receiver.url, stores="A")
        with serve(database_url) as client:
            yield client

    def get(self, client: httpx.Client, **parameters: Any) -> Any:  # noqa: ANN401 - JSON
        answer = client.get("/alerts", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def test_open_alerts_come_first_with_their_messages(self, client: httpx.Client) -> None:
        page = self.get(client)
        assert [(one["store_id"], one["state"]) for one in page["alerts"]] == [
            ("B", "open"),
            ("C", "open"),
            ("A", "closed"),
        ]
        assert page["open"] == {
            "down": 2,
            **dict.fromkeys(("silent", "source", "platform", "data", "burn", "exhausted"), 0),
        }
        closed = page["alerts"][2]
        assert closed["ending"] == "up again"
        assert closed["lost_us"] == 3 * 3_600_000_000
        assert [(one["change"], one["state"]) for one in closed["deliveries"]] == [
            ("opened", "sent"),
            ("closed", "waiting"),
        ]
        assert closed["deliveries"][0]["target"].startswith("json://127.0.0.1:")
        assert "5ecret" not in str(page)

    def test_it_is_filtered_and_paged(self, client: httpx.Client) -> None:
        assert [one["store_id"] for one in self.get(client, state="closed")["alerts"]] == ["A"]
        assert self.get(client, kind="silent")["total"] == 0
        assert self.get(client, store_id="B")["total"] == 1
        page = self.get(client, limit=2)
        assert (page["total"], page["next"]) == (3, "/alerts?offset=2&limit=2")
        assert [one["store_id"] for one in client.get(page["next"]).json()["alerts"]] == ["A"]
        assert client.get("/alerts", params={"kind": "nonsense"}).status_code == 422
        assert client.get("/alerts", params={"store_id": "\0"}).status_code == 422

    def test_a_key_of_some_stores_reads_only_their_alerts(
        self, client: httpx.Client, database_url: str
    ) -> None:
        execute(
            database_url,
            "INSERT INTO alerts (kind, subject, opened_at, since, lost_us, is_told)"
            " VALUES ('source', 'B', now(), now(), 0, true)",
        )
        token = new_key(database_url, "till", Scope.READ, stores={"B"})
        header = {"Authorization": f"Bearer {token}"}
        page = client.get("/alerts", headers=header).json()
        assert [(one["kind"], one["subject"]) for one in page["alerts"]] == [("down", "B")]
        assert (page["total"], page["open"]) == (1, None)
        assert page["alerts"][0]["deliveries"] == []
        assert client.get("/alerts?store_id=C", headers=header).status_code == 403

    def test_metrics_count_alerts_and_messages(self, client: httpx.Client) -> None:
        metrics = client.get("/metrics").text
        assert 'storemon_open_alerts{kind="down"} 2.0' in metrics
        assert 'storemon_unsent_alert_messages{state="waiting"} 1.0' in metrics
        assert 'storemon_unsent_alert_messages{state="failed"} 0.0' in metrics


def test_apprise_is_imported_only_to_send() -> None:
    code = (
        "import sys, storemon_api.app, storemon_pipeline.commands.cli;"
        "import storemon_pipeline.definitions;"
        "print('apprise' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def run(*arguments: str, urls: str = "") -> Result:
    return CliRunner().invoke(app, ["alerts", *arguments], env={"STOREMON_ALERT_URLS": urls})


def test_the_command_sends_a_message_to_every_address(receiver: Receiver) -> None:
    result = run("test", urls=f"{receiver.url} {NOWHERE}")
    assert result.exit_code == 1
    assert "json://127.0.0.1:1: not sent: " in result.stdout
    assert ": sent\n" in result.stdout
    assert "5ecret" not in result.output
    assert receiver.titles == ["Test of storemon's alerts"]
    assert run("test", urls=receiver.url).exit_code == 0


def test_the_command_says_what_to_do_without_an_address() -> None:
    result = run("test")
    assert result.exit_code == 1
    assert "STOREMON_ALERT_URLS" in result.output


def test_the_command_lists_alerts_and_their_messages(database_url: str, receiver: Receiver) -> None:
    alarm(database_url, receiver.url, stores="AB")
    deliver(database_url, receiver.url)
    recover(database_url, receiver.url)
    listed = run("list", "--database-url", database_url).stdout.splitlines()
    assert len(listed) == 5
    assert "store B: since 2023-01-23 08:30Z, 3 h 30 min of business time, open" in listed[0]
    assert "opened to json://127.0.0.1:" in listed[1]
    assert "store A: since 2023-01-23 08:30Z, 3 h of business time, up again" in listed[2]
    assert listed[4].endswith("waiting, 0 tries")
    only = run("list", "--open", "--database-url", database_url).stdout
    assert "store B" in only
    assert "store A" not in only
