"""Errors for the person at the terminal: one line that says what failed and what to do."""


class ServiceError(Exception):
    """The service or a command cannot go on; `str()` is one line for the person at the terminal."""


class HomeError(ServiceError):
    """The home folder cannot be used."""


class HomeLockedError(HomeError):
    """Another storemon process holds the home folder."""


class PostgresError(ServiceError):
    """The embedded PostgreSQL cannot be created, started or stopped."""


class StartError(ServiceError):
    """Something that the service needs before it starts is missing."""


class GaveUpError(ServiceError):
    """A process of the running service keeps dying."""
