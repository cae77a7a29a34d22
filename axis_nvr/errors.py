"""Every error that axis_nvr raises on purpose.

The class says whose fault it is, and so what to do: skip, reconnect, stop recording, not start.
"""

from enum import StrEnum
from pathlib import Path


class NvrError(Exception):
    """The base of all errors below."""


class WireError(NvrError):
    """Bytes break their format: skip them, count them.

    :param message: what was expected and what came.
    :param offset: where in the bytes given, in bytes; -1 where it has no meaning.
    :param source: the section that is broken, such as ``RFC 3550 §5.1``.
    """

    def __init__(self, message: str, *, offset: int = -1, source: str = "") -> None:
        super().__init__(message, offset, source)
        self.message = message
        self.offset = offset
        self.source = source

    def __str__(self) -> str:
        place = f" at byte {self.offset}" if self.offset >= 0 else ""
        source = f" ({self.source})" if self.source else ""
        return f"{self.message}{place}{source}"


class LocalProtocolError(NvrError):
    """We broke a protocol's rule: a bug of ours."""


class RemoteProtocolError(NvrError):
    """The peer broke a protocol's rule: drop the connection, come back later."""


class PeerRefused(NvrError):
    """The peer said a well-formed no.

    :param method: the request that was refused, such as ``SETUP``.
    :param status: the status code, such as 453.
    :param reason: the peer's own words.
    """

    def __init__(self, method: str, status: int, reason: str) -> None:
        super().__init__(method, status, reason)
        self.method = method
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.method} refused: {self.status} {self.reason}".rstrip()


class StorageErrorKind(StrEnum):
    """What is wrong with a disk.

    `SLOW`: it has not done what it was given. `CLOSED`: this recorder has let go of it.
    """

    FULL = "full"
    ABSENT = "absent"
    READ_ONLY = "read-only"
    LOCKED = "locked"
    CORRUPT = "corrupt"
    FAILED = "failed"
    SLOW = "slow"
    CLOSED = "closed"
    NO_PASSPHRASE = "no passphrase"  # noqa: S105 - no password
    WRONG_PASSPHRASE = "wrong passphrase"  # noqa: S105 - no password
    NOT_ENCRYPTED = "not encrypted"


class StorageError(NvrError):
    """A disk does not do what it should.

    :param kind: what is wrong.
    :param path: the file or folder it shows at.
    :param message: what was tried and what came.
    """

    def __init__(self, kind: StorageErrorKind, path: Path, message: str) -> None:
        super().__init__(kind, path, message)
        self.kind = kind
        self.path = path
        self.message = message

    def __str__(self) -> str:
        is_told = self.kind is StorageErrorKind.FAILED or self.kind in self.message
        return f"{self.path}: {self.message}" + ("" if is_told else f" ({self.kind})")


class ConfigError(NvrError):
    """The configuration cannot be used: refuse to start, naming the key."""
