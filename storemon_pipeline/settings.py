"""The settings of the command line and of the pipeline's processes, read from the environment.

Nothing is read at import: whoever needs them builds them. The API has its own.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from storemon_pipeline.domain.channels import ChannelRule

MAX_PORT = 65_535


def _absolute(value: object) -> object:
    """Make a path independent of the folder that a later process works in."""
    return Path(value).expanduser().absolute() if isinstance(value, str | Path) else value


def _absolute_unless_url(value: object) -> object:
    return value if isinstance(value, str) and "://" in value else str(_absolute(value))


def _none_when_empty(value: object) -> object:
    return None if value == "" else value


def _resolved(value: object) -> object:
    """As `_absolute`, and the same for every path that leads there: processes are known by it."""
    path = _absolute(value)
    return path.resolve() if isinstance(path, Path) else path


class Executor(StrEnum):
    """What executes the steps of a run; all but the first may use several processes."""

    IN_PROCESS = "in_process"
    MULTIPROCESS = "multiprocess"
    DASK = "dask"
    CELERY = "celery"
    K8S = "k8s"
    RAY = "ray"


ResolvedPath = Annotated[Path, BeforeValidator(_resolved)]
PathOrUrl = Annotated[str, BeforeValidator(_absolute_unless_url)]
Port = Annotated[int, Field(ge=1, le=MAX_PORT)]
OptionalUrl = Annotated[str | None, BeforeValidator(_none_when_empty)]
OptionalPathOrUrl = Annotated[
    str | None, BeforeValidator(lambda value: _absolute_unless_url(value) if value else None)
]


class Settings(BaseSettings):
    """Each setting is the variable `STOREMON_` + its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="STOREMON_", extra="ignore", frozen=True, validate_default=True
    )

    home: ResolvedPath = Path(".storemon")
    """The folder that holds the embedded database, logs and Dagster's files."""

    data: PathOrUrl = "data"
    """The folder with the sources' files: a local path, or a URL such as `s3://bucket/folder`."""

    host: str = "127.0.0.1"
    """The address that the API listens on."""

    port: Port = 8000
    """The port of the API."""

    dagster_port: Port = 3000
    """The port of Dagster's webserver, which listens on 127.0.0.1 alone."""

    database_url: OptionalUrl = None
    """A PostgreSQL server's `postgresql://…`; without it an embedded one runs in the home."""

    dagster_database_url: OptionalUrl = None
    """Dagster's own database, `postgresql+psycopg2://…`, which `storemon up` chooses."""

    keep_polls_days: PositiveInt = 90
    """Days, counted back from the newest poll, for which raw polls are kept; runs always are."""

    poll_archive: OptionalPathOrUrl = None
    """The folder, a path or a URL, where older raw polls go; without it they are only dropped."""

    keep_reports_days: PositiveInt = 365
    """Days, counted back from the newest poll, for which reports are kept."""

    executor: Executor = Executor.IN_PROCESS
    """What executes the steps of Dagster's runs."""

    executor_config: dict[str, Any] = Field(default_factory=dict)
    """The executor's own configuration, as JSON: what a run's `execution.config` may say."""

    channel_rule: ChannelRule = ChannelRule.ANY_UP
    """When a store with several storefronts is up: `any_up` or `all_up` of them, or by `share`."""

    shards: PositiveInt = 1
    """Into how many steps a report and the newest figures from the lake are divided, by stores."""

    lake: OptionalPathOrUrl = None
    """The lake that reports are made from, a path or a URL; without it the database is read."""

    log_json: bool = False
    """Whether the service and its processes say each event as one line of JSON."""

    api_key: SecretStr | None = None
    """The key by which commands such as `storemon report` ask the API; the service needs none."""

    alert_urls: SecretStr | None = None
    """Where alerts are sent: Apprise URLs, separated by spaces or commas; without any nowhere."""

    mail_url: SecretStr | None = None
    """The mail server that sends statements: an Apprise URL such as `mailtos://user:password@…`."""

    alert_down_minutes: PositiveFloat = 90.0
    """Minutes of business time after which a store that is down is an alert."""

    alert_silent_hours: PositiveFloat = 6.0
    """Hours of business time without a poll after which a store is an alert."""

    alert_source_hours: PositiveFloat = 2.0
    """Hours, by the clock, after which a source that was not refreshed is an alert."""

    alert_share_percent: Annotated[float, Field(gt=0, le=100)] = 30.0
    """The share of a time zone's or group's open stores that is one alert when down at once."""

    alert_min_stores: PositiveInt = 10
    """Open stores that a time zone or group must have for that."""

    alert_damp_minutes: NonNegativeFloat = 60.0
    """Minutes after the close of an alert in which none of the same opens."""

    public_url: OptionalUrl = None
    """The address under which people reach the pages, for links in messages."""

    @model_validator(mode="after")
    def _refuse_shards_of_the_database(self) -> Self:
        if self.shards > 1 and not self.lake:
            raise ValueError(
                "STOREMON_SHARDS divides reports from the lake, and STOREMON_LAKE is not set: set "
                "it, or unset STOREMON_SHARDS"
            )
        return self

    @property
    def dagster_home(self) -> Path:
        """The folder of Dagster's files (its DAGSTER_HOME), apart from the home's own.

        Dagster deletes `logs` in its folder when telemetry is off.
        """
        return self.home / "dagster"

    @property
    def dagster_url(self) -> str:
        """The address of Dagster's webserver."""
        return f"http://127.0.0.1:{self.dagster_port}"

    @property
    def api_url(self) -> str:
        """The address at which a program on this machine reaches the API."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}"
