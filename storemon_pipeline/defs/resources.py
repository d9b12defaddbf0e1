"""The resources of assets and jobs: everything that the settings decide."""

from datetime import timedelta
from typing import Self

import dagster as dg
from pydantic import Field

from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification
from storemon_pipeline.alerts.targets import labelled, split_urls
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.retention.poll_archive import PollArchive
from storemon_pipeline.sent_statements.deliver_statements import Mailing
from storemon_pipeline.settings import Settings


class Database(dg.ConfigurableResource[None]):
    """The storemon database."""

    url: str = Field(description="A URL that libpq understands.")


class DataFolder(dg.ConfigurableResource[None]):
    """The folder that holds the sources' files."""

    path: str = Field(description="A local path, or a URL that fsspec reads.")
    channel_rule: str = Field(
        default=ChannelRule.ANY_UP.value, description="When a store with several storefronts is up."
    )


class Retention(dg.ConfigurableResource[None]):
    """How long data is kept, counted back from the newest poll."""

    keep_polls_days: int
    keep_reports_days: int
    poll_archive: str | None = Field(
        default=None, description="The folder of old polls: a local path, or a URL."
    )

    @property
    def keep_polls(self) -> timedelta:
        """How long raw polls are kept."""
        return timedelta(days=self.keep_polls_days)

    @property
    def archive(self) -> PollArchive | None:
        """The archive of old polls, if there is one. Raises LocationError."""
        return PollArchive(self.poll_archive) if self.poll_archive else None

    @property
    def keep_reports(self) -> timedelta:
        """How long reports are kept."""
        return timedelta(days=self.keep_reports_days)


class Lake(dg.ConfigurableResource[None]):
    """The lake that reports are made from, if there is one."""

    place: str | None = Field(default=None, description="A local path, or a URL.")

    @property
    def folder(self) -> LakeFolder | None:
        """The folder of the lake. Raises LocationError."""
        return LakeFolder(self.place) if self.place else None

    @property
    def needed_folder(self) -> LakeFolder:
        """The folder of the lake. Raises LocationError, and dg.Failure without a lake."""
        folder = self.folder
        if folder is None:
            raise dg.Failure(description="STOREMON_LAKE is not set", allow_retries=False)
        return folder


class MailServer(dg.ConfigurableResource[None]):
    """How statements are sent."""

    public_url: str | None = None
    url: str | None = Field(
        default=None, description="An Apprise URL. Secret: given as an environment variable."
    )

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The resource with the values of the settings; secrets stay in the environment."""
        return cls(
            public_url=settings.public_url,
            url=dg.EnvVar("STOREMON_MAIL_URL") if settings.mail_url else None,
        )

    @property
    def mailing(self) -> Mailing:
        """The mail server, and the root of links in mails."""
        return Mailing(self.url, self.public_url)


class Alerting(dg.ConfigurableResource[None]):
    """When there is an alert, and where its messages go."""

    down_minutes: float
    silent_hours: float
    source_hours: float
    share_percent: float
    min_stores: int
    damp_minutes: float
    public_url: str | None = None
    urls: str | None = Field(
        default=None, description="Apprise URLs. Secret: given as an environment variable."
    )

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The resource with the values of the settings; secrets stay in the environment."""
        return cls(
            down_minutes=settings.alert_down_minutes,
            silent_hours=settings.alert_silent_hours,
            source_hours=settings.alert_source_hours,
            share_percent=settings.alert_share_percent,
            min_stores=settings.alert_min_stores,
            damp_minutes=settings.alert_damp_minutes,
            public_url=settings.public_url,
            urls=dg.EnvVar("STOREMON_ALERT_URLS") if settings.alert_urls else None,
        )

    @property
    def rules(self) -> Rules:
        """From when on something is an alert."""
        return Rules(
            down_us=round(self.down_minutes * MINUTE_US),
            silent_us=round(self.silent_hours * HOUR_US),
            source_us=round(self.source_hours * HOUR_US),
            share_percent=self.share_percent,
            min_stores=self.min_stores,
            cooldown_us=round(self.damp_minutes * MINUTE_US),
        )

    @property
    def targets(self) -> dict[str, str]:
        """The addresses of messages, by their labels."""
        return {} if not self.urls else labelled(split_urls(self.urls))

    @property
    def notification(self) -> Notification:
        """The labels of the addresses, and the root of links in messages."""
        return Notification(tuple(self.targets), self.public_url)
