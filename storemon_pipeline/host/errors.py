"""Errors that a person at the terminal can act on. Each is one line that says what and how."""


class ServiceError(Exception):
    """The service cannot start or go on; `str()` is one line for the person who called it."""


class HomeError(ServiceError):
    """The home folder cannot be used."""


class HomeLockedError(HomeError):
    """Another storemon process holds the home folder."""


class PostgresError(ServiceError):
    """The embedded PostgreSQL cannot be made, started or stopped."""


class StartError(ServiceError):
    """What the service needs before it starts is not there."""


class GaveUpError(ServiceError):
    """A part of the running service keeps dying."""
