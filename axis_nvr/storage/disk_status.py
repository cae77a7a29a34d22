"""How a disk is, what it has done and has left."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from axis_nvr.errors import StorageErrorKind
from axis_nvr.storage.housekeeping import ChoreReport


class DiskState(StrEnum):
    """How a disk is; all but the first two are what the last thing that failed says."""

    STOPPED = "stopped"
    OK = "ok"
    FULL = "full"
    ABSENT = "absent"
    READ_ONLY = "read-only"
    LOCKED = "locked"
    CORRUPT = "corrupt"
    FAILED = "failed"
    SLOW = "slow"
    NO_PASSPHRASE = "no passphrase"  # noqa: S105 - no password
    WRONG_PASSPHRASE = "wrong passphrase"  # noqa: S105 - no password
    NOT_ENCRYPTED = "not encrypted"

    @classmethod
    def of(cls, kind: StorageErrorKind) -> "DiskState":
        """Give the state that an error puts a disk in."""
        return _STATES[kind]

    @property
    def condition(self) -> str:
        """The state in the words of the VAPIX disk list.

        The flags ``full``, ``readonly`` and ``locked`` of the list stand beside it: a disk that is
        full or read-only is mounted and works as far as it can.
        """
        return _CONDITIONS.get(self, "OK")


_STATES = {
    StorageErrorKind.FULL: DiskState.FULL,
    StorageErrorKind.ABSENT: DiskState.ABSENT,
    StorageErrorKind.READ_ONLY: DiskState.READ_ONLY,
    StorageErrorKind.LOCKED: DiskState.LOCKED,
    StorageErrorKind.CORRUPT: DiskState.CORRUPT,
    StorageErrorKind.FAILED: DiskState.FAILED,
    StorageErrorKind.SLOW: DiskState.SLOW,
    StorageErrorKind.CLOSED: DiskState.STOPPED,
    StorageErrorKind.NO_PASSPHRASE: DiskState.NO_PASSPHRASE,
    StorageErrorKind.WRONG_PASSPHRASE: DiskState.WRONG_PASSPHRASE,
    StorageErrorKind.NOT_ENCRYPTED: DiskState.NOT_ENCRYPTED,
}

#: ``connected`` is there and not in use, ``disconnected`` is not there.
_CONDITIONS = {
    DiskState.STOPPED: "connected",
    DiskState.LOCKED: "connected",
    DiskState.ABSENT: "disconnected",
    DiskState.CORRUPT: "failed",
    DiskState.FAILED: "failed",
    DiskState.NO_PASSPHRASE: "no passphrase",
    DiskState.WRONG_PASSPHRASE: "wrong passphrase",
    DiskState.NOT_ENCRYPTED: "not encrypted",
}


class IDiskObserver(Protocol):
    """Hears of a disk, in the reactor's thread."""

    def state_changed(self, state: DiskState, words: str) -> None:
        """The disk has another state; `words` say why, if it is a bad one."""

    def broken(self) -> None:
        """The disk is of no use before it has been closed and opened again."""


@dataclass(frozen=True, slots=True)
class DiskStatus:
    """What a disk has done and has left.

    :param total_bytes: of its file system; 0 if unknown.
    :param queued_gops: waiting or being written.
    :param dropped_gops: refused untried: the queue was full, or the disk rests after a failure.
    :param failed_gops: that the disk did not take.
    :param last_error: in words, empty if there was none.
    :param chores: what goes on at it beside recording.
    :param busy_seconds: how long it has been at what it is writing; 0: it is at nothing.
    :param last_serial: serial number of the recorder that used it before; empty: not known.
    """

    disk_id: str
    state: DiskState
    total_bytes: int
    free_bytes: int
    recordings: int
    queued_gops: int
    queued_bytes: int
    written_gops: int
    written_bytes: int
    dropped_gops: int
    failed_gops: int
    last_error: str
    chores: tuple[ChoreReport, ...] = ()
    busy_seconds: float = 0.0
    last_serial: str = ""
