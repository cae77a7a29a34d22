"""How a disk is, what it has done and has left."""

from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class DiskStatus:
    """What a disk has done and has left.

    :param total_bytes: of its file system; 0 if unknown.
    :param queued_gops: waiting or being written.
    :param dropped_gops: given up because the queue was full.
    :param failed_gops: that the disk did not take.
    :param last_error: in words, empty if there was none.
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
