"""Webhooks without a database: settings, signatures, and what recorded messages become."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from storemon_pipeline.commands.cli import app
from storemon_pipeline.webhooks.message_events import (
    UnmappedMessageError,
    describe_events,
    read_message_events,
)
from storemon_pipeline.webhooks.signatures import BadSignatureError, Signed, check_signature
from storemon_pipeline.webhooks.webhook_settings import (
    NoSecretError,
    WebhookSettingsError,
    WebhookSource,
    parse_webhook_sources,
    read_secrets,
)
from webhook_messages import (
    DELIVERECT,
    DOORDASH,
    JUST_EAT,
    SECRET,
    SETTINGS,
    body_of,
    standard_headers,
)

SOURCES = parse_webhook_sources(SETTINGS)
# The test vector of the Standard Webhooks libraries.
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
SIGNED_AT = datetime.fromtimestamp(1614265330, UTC)
AT = datetime(2023, 1, 25, 18, tzinfo=UTC)


def source(**settings: Any) -> WebhookSource:  # noqa: ANN401 - one type per setting
    return WebhookSource.model_validate(
        {"store_id": "id", "state": "state", "down": "closed", "up": "open", **settings}
    )


def become(name: str, message: Any) -> list[str] | None:  # noqa: ANN401 - a JSON value
    """What the settings above make of a message that was signed at 18:00."""
    events = read_message_events(name, SOURCES[name], body_of(message), at=AT)
    return None if events is None else describe_events(events)


# Recorded messages


@pytest.mark.parametrize(
    ("name", "message", "event"),
    [
        (
            *("doordash", DOORDASH),
            (
                "2: down from 2022-11-28 22:30:19Z to 2022-11-29 03:30:19Z,"
                " reason: Incorrect Store Hours: Notes here, source: doordash"
            ),
        ),
        (
            *("doordash", {**DOORDASH, "end_time": None, "notes": ""}),
            (
                "2: down from 2022-11-28 22:30:19Z until the next event of this source,"
                " reason: Incorrect Store Hours, source: doordash"
            ),
        ),
        (
            *("deliverect", DELIVERECT),
            (
                "5cecc6489f0001b8: down from 2023-01-25 18:00:00Z"
                " until the next event of this source, source: deliverect"
            ),
        ),
        (
            *("deliverect", {**DELIVERECT, "status": "ONLINE"}),
            "5cecc6489f0001b8: up at 2023-01-25 18:00:00Z; ends an event down, source: deliverect",
        ),
        (
            *("justeat", JUST_EAT),
            (
                "123456: down from 2023-01-25 18:00:00Z until the next event of this source,"
                " source: justeat"
            ),
        ),
        (
            *("justeat", {**JUST_EAT, "IsOffline": False}),
            "123456: up at 2023-01-25 18:00:00Z; ends an event down, source: justeat",
        ),
    ],
)
def test_a_message_of_a_platform_becomes_an_event(name: str, message: Any, event: str) -> None:  # noqa: ANN401 - a JSON value
    assert become(name, message) == [event]


def test_a_message_that_says_nothing_of_the_status_is_ignored() -> None:
    assert become("deliverect", {**DELIVERECT, "status": "BUSY", "delay": 30}) is None


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"store": {}}, "store.merchant_supplied_id", "store.merchant_supplied_id is missing."),
        ({"store": "2"}, "store.merchant_supplied_id", "store.merchant_supplied_id is missing."),
        ({"event": None}, "event.type", "event.type is missing."),
        (
            *({"event": {"type": "Store Moved"}}, "event.type"),
            (
                "event.type is 'store moved', which is none of 'store temporarily deactivated',"
                " 'store reactivated', 'menu updated'."
            ),
        ),
        ({"start_time": None}, "start_time", "start_time is missing."),
        ({"start_time": "soon"}, "start_time", "start_time: timestamp cannot be read."),
        (
            *({"end_time": "2022-11-28T22:30:19Z"}, "end_time"),
            "end_time: event does not end after its start.",
        ),
        ({"reason": ["a"]}, "reason", "reason is not a text or a number."),
        (
            *({"store": {"merchant_supplied_id": 8.4e18}}, "store.merchant_supplied_id"),
            "store.merchant_supplied_id: store id is a rounded number.",
        ),
        ({"notes": "\ud800"}, "notes", "notes is not valid Unicode."),
        ({"notes": "\0"}, "body", "body: contains a NUL byte."),
    ],
)
def test_a_message_that_cannot_be_mapped_names_the_path(
    change: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(UnmappedMessageError) as caught:
        become("doordash", {**DOORDASH, **change})
    assert (caught.value.path, str(caught.value)) == (path, message)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 10_000],
    ids=["nothing", "cut off", "not UTF-8", "deep", "long number"],
)
def test_a_body_that_is_no_json_is_named(body: bytes) -> None:
    with pytest.raises(UnmappedMessageError, match=r"The body is not JSON|state is missing"):
        read_message_events("x", source(), body, at=AT)


def test_a_list_in_a_message_becomes_several_events() -> None:
    settings = source(events="data.0.changes", start_time="at", date_format="epoch seconds")
    changes = [
        {"id": 7, "state": "Closed", "at": 1674662400},
        {"id": 7, "state": "open", "at": 1674666000.5},
    ]
    body = body_of({"data": [{"changes": changes}]})
    events = read_message_events("pos", settings, body, at=AT)
    assert events is not None
    assert describe_events(events) == [
        "7: down from 2023-01-25 16:00:00Z until the next event of this source, source: pos",
        "7: up at 2023-01-25 17:00:00Z; ends an event down, source: pos",
    ]
    with pytest.raises(UnmappedMessageError, match=r"^data.0.changes.1.id is missing"):
        read_message_events(
            *("pos", settings),
            body_of({"data": [{"changes": [changes[0], {"state": "open", "at": 1}]}]}),
            at=AT,
        )


@pytest.mark.parametrize(
    ("local", "utc"), [("12/03/2023 01:30", "06:30"), ("12/03/2023 03:30", "07:30")]
)
def test_times_without_a_zone_have_that_of_the_settings(local: str, utc: str) -> None:
    # New York goes from -5 to -4 hours on 12 March 2023 at 2:00.
    settings = source(
        start_time="at", date_format="%d/%m/%Y %H:%M", zone="america/new_york", up_lasts=True
    )
    events = read_message_events(
        "pos", settings, body_of({"id": "A", "state": "open", "at": local}), at=AT
    )
    assert events is not None
    assert describe_events(events) == [
        f"A: up at 2023-03-12 {utc}:00Z, until the next event, source: pos"
    ]


# Signatures


def test_the_signature_of_the_standard_is_accepted() -> None:
    signed = check_signature(source(), [SECRET], VECTOR, VECTOR_BODY, now=SIGNED_AT)
    assert signed == Signed("msg_p5jXN8AQM9LWM0D4loKWxJek", SIGNED_AT)


def test_during_a_rotation_any_secret_and_any_signature_will_do() -> None:
    headers = {**VECTOR, "webhook-signature": f"v1a,x v1,AAAA {VECTOR['webhook-signature']}"}
    secrets = ["whsec_AAAAAAAAAAAAAAAA", SECRET]
    assert check_signature(source(), secrets, headers, VECTOR_BODY, now=SIGNED_AT).message_id


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-id": "msg_other"}, "No signature"),
        ({"webhook-timestamp": ""}, "webhook-timestamp is missing"),
        ({"webhook-timestamp": "1614265330.0"}, "not a number of seconds"),
        ({"webhook-timestamp": "٣"}, "not a number of seconds"),
        ({"webhook-timestamp": "1614265029"}, "more than 300 seconds"),
        ({"webhook-timestamp": "1614265631"}, "more than 300 seconds"),
        ({"webhook-timestamp": "1614265331"}, "No signature"),
        ({"webhook-signature": ""}, "webhook-signature is missing"),
        ({"webhook-signature": VECTOR["webhook-signature"][3:]}, "No signature"),
        ({"webhook-signature": "v1,"}, "No signature"),
        ({"webhook-signature": "v1,é"}, "No signature"),
        ({"webhook-signature": " ".join(["v1,AAAA"] * 20 + [VECTOR["webhook-signature"]])}, "No s"),
    ],
)
def test_another_signature_of_the_standard_is_refused(
    headers: dict[str, str], message: str
) -> None:
    with pytest.raises(BadSignatureError, match=message):
        check_signature(source(), [SECRET], {**VECTOR, **headers}, VECTOR_BODY, now=SIGNED_AT)


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(BadSignatureError):
        check_signature(source(), [SECRET], VECTOR, VECTOR_BODY + b" ", now=SIGNED_AT)


# HMAC-SHA256 of "hello" with the key "key", by `openssl dgst -hmac key`.
HEX = "9307b3b915efb5171ff14d8cb55fbcc798c6c0ef1456d66ded1a6aa723a58b7b"
BASE64 = "kwezuRXvtRcf8U2MtV+8x5jGwO8UVtZt7RpqpyOli3s="


@pytest.mark.parametrize(
    ("settings", "sent", "is_good"),
    [
        ({}, HEX, True),
        ({}, HEX.upper(), True),
        ({"prefix": "sha256="}, f"sha256={HEX}", True),
        ({"prefix": "sha256="}, HEX, False),
        ({}, HEX[:-2] + "7c", False),
        ({}, "", False),
        ({"encoding": "base64"}, BASE64, True),
        ({"encoding": "base64"}, HEX, False),
        ({"algorithm": "sha1"}, HEX, False),
        ({"signature": "token"}, "key", True),
        ({"signature": "token"}, "Key", False),
        ({"signature": "token", "prefix": "Bearer "}, "Bearer key", True),
    ],
)
def test_signatures_of_other_forms_are_checked(
    settings: dict[str, Any], sent: str, *, is_good: bool
) -> None:
    chosen = source(**{"signature": "hmac", "header": "X-Signature", **settings})
    headers = {"x-signature": sent}
    if is_good:
        assert check_signature(chosen, ["old", "key"], headers, b"hello", now=AT) == Signed(
            None, None
        )
    else:
        with pytest.raises(BadSignatureError):
            check_signature(chosen, ["old", "key"], headers, b"hello", now=AT)


def test_the_header_with_the_id_of_a_message_is_read() -> None:
    chosen = source(signature="token", header="X-Token", id_header="X-Request")
    headers = {"x-token": "key", "x-request": "m1"}
    assert check_signature(chosen, ["key"], headers, b"", now=AT) == Signed("m1", None)


def test_a_secret_that_the_standard_cannot_use_is_no_secret() -> None:
    with pytest.raises(NoSecretError, match="whsec_ and Base64"):
        check_signature(source(), ["not base64!"], VECTOR, VECTOR_BODY, now=SIGNED_AT)


# Settings


def test_secrets_come_from_variables_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("new\n\n old \n")
    chosen = source(secret_env=["FIRST", "SECOND"], secret_file=str(file))
    assert read_secrets("pos", chosen, {"SECOND": "2"}) == ["2", "new", "old"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, 'add the line secret_env = "POS_WEBHOOK_SECRET" below \\[pos\\] in webhooks.toml'),
        ({"secret_env": "POS"}, "set the environment variable POS of the service"),
        ({"secret_file": "/nowhere"}, "secret_file of \\[pos\\] cannot be read"),
    ],
)
def test_a_source_without_a_secret_says_what_to_do(settings: dict[str, str], message: str) -> None:
    with pytest.raises(NoSecretError, match=message):
        read_secrets("pos", source(**settings), {"POS": " "})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "webhooks.toml: "),
        ("a = 1", "webhooks.toml: a is a table: [a]"),
        ("[A]", "webhooks.toml: [A] is not a name of lower-case letters, digits, - and _"),
        ("[a]", "webhooks.toml, [a]: store_id: Field required"),
        (
            '[a]\nstore_id="s"\nstate="t"\ndown="x"\nsecrets="y"',
            "webhooks.toml, [a]: secrets: Extra inputs are not permitted",
        ),
        (
            '[a]\nstore_id="s"\nstate="t"\ndown="x"\nup=["X"]',
            "webhooks.toml, [a]: 'x' is in two of the lists down, up and ignored",
        ),
        (
            '[a]\nstore_id="s"\nstate="t"\ndown="x"\nzone="Mars"',
            (
                "webhooks.toml, [a]: zone: is 'Mars', which is not an IANA time zone such as "
                "Europe/Berlin"
            ),
        ),
        (
            '[a]\nstore_id="s"\nstate="t"\ndown="x"\nsignature="hmac"',
            'webhooks.toml, [a]: signature = "hmac" needs the line header = "…"',
        ),
        (
            '[a]\nstore_id="s"\nstate="t"\ndown="x"\ndate_format="%Q"',
            'webhooks.toml, [a]: date_format: is "%Q": %Q is not one of',
        ),
    ],
)
def test_bad_settings_name_their_place(text: str, message: str) -> None:
    with pytest.raises(WebhookSettingsError) as caught:
        parse_webhook_sources(text)
    assert str(caught.value).startswith(message)


# The command


def check_webhook(folder: Path, name: str, message: Any) -> tuple[int, str]:  # noqa: ANN401 - a JSON value
    (folder / "webhooks.toml").write_text(SETTINGS)
    file = folder / "message.json"
    file.write_bytes(body_of(message))
    done = CliRunner().invoke(app, ["check-webhook", name, str(file), "--data", str(folder)])
    return done.exit_code, done.output


def test_the_command_says_what_a_message_would_become(tmp_path: Path) -> None:
    assert check_webhook(tmp_path, "doordash", DOORDASH) == (
        0,
        (
            "2: down from 2022-11-28 22:30:19Z to 2022-11-29 03:30:19Z,"
            " reason: Incorrect Store Hours: Notes here, source: doordash\nNothing was loaded.\n"
        ),
    )


@pytest.mark.parametrize(
    ("name", "message", "output"),
    [
        ("doordash", {}, "storemon: The message would be rejected: event.type is missing.\n"),
        (
            *("grubhub", {}),
            "storemon: webhooks.toml in {} has deliverect, doordash, justeat, and no [grubhub].\n",
        ),
    ],
)
def test_the_command_fails_with_the_reason(
    tmp_path: Path, name: str, message: object, output: str
) -> None:
    assert check_webhook(tmp_path, name, message) == (1, output.format(tmp_path))


def test_the_command_names_a_file_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "webhooks.toml").write_text(SETTINGS)
    file = tmp_path / "nothing.json"
    done = CliRunner().invoke(app, ["check-webhook", "justeat", str(file), "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert done.output == f"storemon: {file} cannot be read: No such file or directory.\n"


def test_signing_here_is_signing_as_the_standard_does() -> None:
    headers = standard_headers(
        VECTOR_BODY, message_id=VECTOR["webhook-id"], timestamp=int(VECTOR["webhook-timestamp"])
    )
    assert headers == VECTOR
