"""What was recorded, and all that is done with it: put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.groups import Groups
from axis_nvr.services.library import Library
from axis_nvr.services.reading_pool import ReadingPool
from axis_nvr.services.recording_locks import RecordingLocks
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.removals import Removals
from axis_nvr.storage.errands import Errands
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.retention.policy import Rules


@dataclass(frozen=True, slots=True)
class Archive:
    """The parts.

    :param library: reads all disks.
    :param pool: the threads it reads in; to be started.
    """

    library: Library
    removals: Removals
    locks: RecordingLocks
    groups: Groups
    pool: ReadingPool


def make_archive(
    reactor: Any,
    disks: Mapping[str, DiskKeeper],
    errands: Mapping[str, Errands],
    recordings: Recordings,
    rules: Callable[[str], Rules],
    now: Callable[[], float],
) -> Archive:
    """Put the parts together, and let them follow the disks.

    :param errands: of each disk; its chore is among the disk's.
    :param rules: gives what retention goes by, for the id of a disk.
    :param now: the UTC clock, seconds since 1970.
    """
    pool = ReadingPool(reactor)
    library = Library(cast(IFiles, Files()), errands, pool)
    removals = Removals(library, recordings)
    groups = Groups(library, recordings, removals, rules, now)
    for disk in disks.values():
        disk.users.append(library)
    return Archive(library, removals, RecordingLocks(library), groups, pool)
