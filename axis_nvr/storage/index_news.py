"""What is durable on a disk and not in its index yet: changes that wait for a transaction.

SQLite writes each page that a transaction changes by itself. A block that ends and the one that
follows change five pages; a hundred of them in one transaction change twenty, not five hundred. So
what can wait does so, for an hour if nobody asks:

- That a recording begins or ends, and that one block follows another, can wait, where it is found
  again should the recorder die meanwhile (`axis_nvr.storage.horizon`).
- Whoever searches, plays, exports, locks or removes has what waits told first
  (`axis_nvr.storage.index_teller`), so that nobody sees it late.
- What a disk that fails leaves for repair is told at once, and all that waits when a group is not
  taken.
- On a disk that is nearly full nothing waits: retention can only remove what the index knows, and
  an index that is told late may find no room for it.
"""

import math
from collections.abc import Callable, Iterator
from threading import Lock
from typing import NamedTuple

from axis_nvr.storage.index import Index

#: How long what can wait does so at most, in seconds.
GATHER_SECONDS = 3600.0

#: With less room on the disk than this nothing waits.
GATHER_FREE_BYTES = 1 << 30

#: A change of the index that waits for its transaction.
IndexWrite = Callable[[Index], None]


class News(NamedTuple):
    """A change of the index that waits.

    :ivar due: when it is to be told at the latest, by the clock of `IndexNews.add`.
    :ivar hour: in whose folder, ``YYYYMMDD_HH``, is what it tells of; empty: it is found anyway.
    :ivar can_wait: nothing is lost with it.
    :ivar is_of_recording: a list of recordings shows it.
    """

    write: IndexWrite
    due: float
    hour: str
    can_wait: bool
    is_of_recording: bool


class IndexNews:
    """What the index is to be told of one recording, in order.

    The writer's thread adds, or one that syncs for it; any thread may read, and one at a time
    forgets what it has told.

    :ivar waiting: what waits at this moment; replaced, never changed.
    :ivar due: when the index is to be told, by the clock of `add`; infinite if there is nothing.
    """

    def __init__(self) -> None:
        self.waiting: tuple[News, ...] = ()
        self.due = math.inf
        self._lock = Lock()

    def __iter__(self) -> Iterator[IndexWrite]:
        return (news.write for news in self.waiting)

    def add(
        self,
        now: float,
        *writes: IndexWrite,
        can_wait: bool = False,
        hour: str = "",
        is_of_recording: bool = False,
    ) -> None:
        """Take what the index is to be told behind what waits already; see `News`.

        :param can_wait: others may come first, for `GATHER_SECONDS`.
        """
        due = now + GATHER_SECONDS if can_wait else now
        news = (News(write, due, hour, can_wait, is_of_recording) for write in writes)
        with self._lock:
            self._keep((*self.waiting, *news))

    def forget(self, count: int) -> None:
        """Forget the first ones: they were told."""
        with self._lock:
            self._keep(self.waiting[count:])

    def clear(self) -> None:
        """Forget all: they never will be told."""
        with self._lock:
            self._keep(())

    def _keep(self, waiting: tuple[News, ...]) -> None:
        self.waiting = waiting
        self.due = min((news.due for news in waiting), default=math.inf)
