"""Why a disk is left alone though it may be well: a person wants it, or work on it does."""

from collections.abc import Collection
from enum import Enum

from axis_nvr.storage.disk_status import DiskState


class Hold(Enum):
    """Why a disk is not used; of several the first one here is told.

    :ivar words: a sentence for people.
    :ivar state: how the disk is meanwhile, for those who hear of disruptions.
    :ivar word: the same in the report.
    """

    WORK = ("the disk is being worked on", DiskState.STOPPED, "busy")
    UNMOUNTED = ("the disk is unmounted", DiskState.STOPPED, "unmounted")
    LOCKED = ("the disk is locked", DiskState.LOCKED, "locked")

    def __init__(self, words: str, state: DiskState, word: str) -> None:
        self.words = words
        self.state = state
        self.word = word


def told(holds: Collection[Hold]) -> Hold | None:
    """Choose which of them is told; None: there is none."""
    return next((hold for hold in Hold if hold in holds), None)


def is_only_locked(holds: Collection[Hold]) -> bool:
    """Tell whether a disk can be read all the same."""
    return set(holds) == {Hold.LOCKED}
