"""The settings of webhooks: `webhooks.toml` in the data folder, a table for each source.

What a message becomes belongs to `message_events`, checking its signature to `signatures`.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from storemon_pipeline.business_time.zones import zone_keys_by_folded_name
from storemon_pipeline.files.file_form import EPOCHS, FileForm
from storemon_pipeline.files.folders import Folder, open_in_place
from storemon_pipeline.files.form_values import DateFormatError, date_pattern

WEBHOOKS_FILE: Final = "webhooks.toml"
"""The file in the data folder with the settings of webhooks."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


class WebhookSettingsError(Exception):
    """`webhooks.toml` cannot be used; `str()` names the table and the setting."""


class NoSecretError(Exception):
    """A source has no secret, or one that cannot be used; `str()` names the line to add."""


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _words(value: object) -> object:
    """Texts in lower case, as messages have them: `true` is the text of that value in JSON."""
    values = value if isinstance(value, list) else [value]
    if any(isinstance(word, dict | list) for word in values):
        raise ValueError('is a list of words such as ["closed", "paused"]')
    return [word_of(word) for word in values]


def word_of(value: object) -> str:
    """A value of a message as it is compared with the words of the settings.

    >>> word_of(True), word_of(" Store Closed "), word_of(3)
    ('true', 'store closed', '3')
    """
    return str(value).strip().lower()


Paths = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Path_ = Annotated[str, Field(min_length=1)]


class WebhookSource(BaseModel):
    """The settings of one source.

    A path is a dotted name such as `store.merchant_supplied_id`; a number is a place in a list.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_env: Paths = ()
    """Environment variables with secrets. A message may be signed with any of them."""
    secret_file: Path | None = None
    """A file with one secret in each line."""
    signature: Literal["standard", "hmac", "token"] = "standard"
    header: str = ""
    """The header with the signature or token; Standard Webhooks have their own."""
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    """What stands before the signature or token in its header, such as `sha256=`."""
    id_header: str = ""
    """The header with the id of a message; Standard Webhooks have `webhook-id`."""
    tolerance_seconds: PositiveInt = 300

    events: str = ""
    """The path of a list, each item of which is an event; empty: the message is one event."""
    store_id: Path_
    state: Path_
    down: Words
    up: Words = ()
    ignored: Words = ()
    """The words of messages that say nothing of a store's status."""
    start_time: str = ""
    """Empty: the time of the signature, or else of the message's arrival."""
    end_time: str = ""
    reason: Paths = ()
    date_format: str = ""
    zone: str = ""
    up_lasts: bool = False
    """Whether a store that is up again stays so until the next message, whatever polls say."""

    @field_validator("date_format")
    @classmethod
    def _check_date_format(cls, value: str) -> str:
        if value and value not in EPOCHS:
            try:
                date_pattern(value)
            except DateFormatError as error:
                words = ", ".join(f'"{epoch}"' for epoch in EPOCHS)
                raise ValueError(
                    f'is "{value}": {error}, as in "%d/%m/%Y %H:%M:%S"; or use {words}'
                ) from error
        return value

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        key = zone_keys_by_folded_name().get(value.casefold()) if value else ""
        if key is None:
            raise ValueError(f"is {value!r}, which is not an IANA time zone such as Europe/Berlin")
        return key

    @model_validator(mode="after")
    def _check_signature(self) -> Self:
        if self.signature != "standard" and not self.header:
            raise ValueError(f'signature = "{self.signature}" needs the line header = "…"')
        lists = (self.down, self.up, self.ignored)
        for word in {*self.down, *self.up, *self.ignored}:
            if sum(word in words for words in lists) > 1:
                raise ValueError(f"{word!r} is in two of the lists down, up and ignored")
        return self

    @property
    def form(self) -> FileForm:
        """How the times of its messages are written."""
        return FileForm(date_format=self.date_format, zone=self.zone)


def read_webhook_sources(folder: Folder) -> dict[str, WebhookSource]:
    """The sources by name. Raises WebhookSettingsError and UnreachableError."""
    for file in folder.files([WEBHOOKS_FILE]):
        with open_in_place(file) as stream:
            content = stream.read()
        try:
            return parse_webhook_sources(content.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise WebhookSettingsError(f"{WEBHOOKS_FILE} is not UTF-8 text") from error
    return {}


def parse_webhook_sources(text: str) -> dict[str, WebhookSource]:
    """The sources by name. Raises WebhookSettingsError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WebhookSettingsError(f"{WEBHOOKS_FILE}: {error}") from error
    sources = {}
    for name, table in tables.items():
        if not _NAME.fullmatch(name):
            raise WebhookSettingsError(
                f"{WEBHOOKS_FILE}: [{name}] is not a name of lower-case letters, digits, - and _"
            )
        if not isinstance(table, dict):
            raise WebhookSettingsError(f"{WEBHOOKS_FILE}: {name} is a table: [{name}]")
        try:
            sources[name] = WebhookSource.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"][:1])
            message = str(first["msg"]).removeprefix("Value error, ")
            what = f"{place}: {message}" if place else message
            raise WebhookSettingsError(f"{WEBHOOKS_FILE}, [{name}]: {what}") from error
    return sources


def read_secrets(name: str, source: WebhookSource, environment: Mapping[str, str]) -> list[str]:
    """The secrets of a source: at least one, none of them empty. Raises NoSecretError."""
    texts = [environment.get(variable, "") for variable in source.secret_env]
    if source.secret_file is not None:
        try:
            texts += source.secret_file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise NoSecretError(f"The secret_file of [{name}] cannot be read.") from error
    secrets = [text.strip() for text in texts if text.strip()]
    if secrets:
        return secrets
    if source.secret_env:
        variables = " or ".join(source.secret_env)
        raise NoSecretError(
            f"The webhook {name} has no secret: set the environment variable {variables} of the "
            "service."
        )
    if source.secret_file is not None:
        raise NoSecretError(f"The webhook {name} has no secret: its secret_file is empty.")
    variable = f"{name.upper().replace('-', '_')}_WEBHOOK_SECRET"
    raise NoSecretError(
        f'The webhook {name} has no secret: add the line secret_env = "{variable}" below '
        f"[{name}] in {WEBHOOKS_FILE}, and set that environment variable of the service."
    )
