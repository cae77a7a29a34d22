"""The horizon: before this hour the index knows all that is on its disk.

Recordings and blocks wait before the index is told of them, and a recorder that dies takes what
waited with it. The next one finds it by looking into folders; the horizon says into which. It is
the name of an hour, ``YYYYMMDD_HH``, compared with the names of folders as text, so that neither
time zones nor clocks that step have a say in it.

It stands in the index's state, and holds by these rules:

1. Before a file is made in the folder of an hour that is before the horizon, as where a clock was
   set back, the horizon is moved before that hour, in a transaction of its own that is synced. If
   the index does not take it, the file is made all the same, and told with its batch.
2. The horizon moves on only in a transaction that tells all that waits, and only once repair has
   looked through what an earlier run left: then nothing before it is unknown. If that transaction
   does not survive, the earlier horizon stands, and more is looked at than need be.

A recording that the index knows, and that has no end there, is looked at in any case, in all the
folders of its blocks from the horizon on.
"""

import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta

from axis_nvr.errors import StorageError
from axis_nvr.storage.index import Index

#: In the index's state.
HORIZON_STATE = "horizon"
#: So far before what was told last it is put: a camera whose clock is behind, or was set back.
MARGIN = timedelta(hours=28)
#: It moves on when it is so much further back than that.
STEP = timedelta(hours=24)

_FORM = "%Y%m%d_%H"
#: Behind every hour.
_NOWHERE = "99999999_99"


def read_horizon(index: Index) -> str | None:
    """Give the horizon of an index, None if it has none: an earlier version wrote it.

    :raises StorageError: the index cannot be read.
    """
    return index.state(HORIZON_STATE)


class Horizon:
    """The horizon of a disk that is being written to; the writer's.

    :param hour: as the index has it.
    :ivar is_settled: repair has looked through what an earlier run left.
    """

    def __init__(self, index: Index, hour: str) -> None:
        self._index = index
        self.hour = hour
        self.is_settled = False

    @classmethod
    def of(cls, index: Index, first: str) -> "Horizon":
        """Read the horizon of an index, or give it its first; a disk that is full has none so far.

        :param first: an hour before which nothing is unknown.
        :raises StorageError: the index cannot be read.
        """
        hour = read_horizon(index)
        horizon = cls(index, _NOWHERE if hour is None else hour)
        if hour is None:
            horizon.reach(first, margin=timedelta())
        return horizon

    def reach(self, hour: str, margin: timedelta = MARGIN) -> bool:
        """See that what is in the folder of an hour is found, before anything is put there.

        :returns: False if the index does not take it.
        """
        if hour < self.hour:
            lower = _before(hour, margin)
            try:
                with self._index.transaction():
                    self._index.set_state(HORIZON_STATE, lower)
            except (StorageError, sqlite3.Error):
                return False
            self.hour = lower
        return True

    def moved_on(self, hours: Iterable[str]) -> str:
        """Give what the horizon is after a transaction that tells all that waits.

        :param hours: of what it tells; those that are empty do not count.
        """
        lowest = min(filter(None, hours), default=self.hour)
        is_far = self.hour < _before(lowest, MARGIN + STEP)
        return _before(lowest, MARGIN) if is_far and self.is_settled else self.hour


def _before(hour: str, delta: timedelta) -> str:
    """Give the hour so long before another; the very first of all where there is none."""
    try:
        return (datetime.strptime(hour, _FORM) - delta).strftime(_FORM).rjust(11, "0")  # noqa: DTZ007
    except (ValueError, OverflowError):
        return "00000000_00"
