"""The advisory locks of PostgreSQL that storemon takes, each with its own number."""

from enum import IntEnum, unique


@unique
class AdvisoryLock(IntEnum):
    """Keys of `pg_advisory_lock`. The numbers stay: an old process may still hold one."""

    WRITE_POLLS = 7_305_111
    """Held by the transaction that writes polls, status runs or schedules."""

    MIGRATE = 7_305_112
    """Held by the transaction that migrates the schema."""

    DISPATCH_REPORTS = 7_305_113
    """Held by the session of the API process that launches runs for waiting reports."""

    REFRESH_SOURCE = 7_305_114
    """Held by the session that refreshes a source; a second key is the number of the source."""

    EVALUATE_ALERTS = 7_305_119
    """Held by the transaction that evaluates alerts."""

    ADD_SCHEDULE = 7_305_120
    """Held by the transaction that adds a schedule of statements."""
