"""What is durable on a disk and not in its index yet: changes that wait for a transaction.

SQLite writes each page that a transaction changes by itself. A block that ends and the one that
follows change five pages; those of sixteen cameras in one transaction change ten, not eighty. So
what can wait does so for a few seconds, for others to come:

- That a recording begins or ends is told at once, and with it all that waits: whoever searches is
  to find it.
- That one block follows another of a recording that the index knows can wait. If the recorder dies
  meanwhile, the recording's row has no end, and the blocks are found in its folder
  (`axis_nvr.storage.repair.unclean`).
- What a disk that fails leaves for repair is told at once, and all that waits when a group is not
  taken.
- On a disk that is nearly full nothing waits: retention can only remove what the index knows, and
  an index that is told late may find no room for it.
"""

import math
from collections.abc import Callable, Iterator

from axis_nvr.storage.index import Index

#: How long what can wait does so at most, in seconds. Whoever plays what is being recorded waits as
#: long where one block follows another; looking for strangers (`axis_nvr.storage.checking`) allows
#: for more.
GATHER_SECONDS = 5.0

#: With less room on the disk than this nothing waits.
GATHER_FREE_BYTES = 1 << 30

#: A change of the index that waits for its transaction.
IndexWrite = Callable[[Index], None]


class IndexNews:
    """What the index is to be told of one recording, in order."""

    def __init__(self) -> None:
        self._writes: list[IndexWrite] = []
        self._due = math.inf

    def __len__(self) -> int:
        return len(self._writes)

    def __iter__(self) -> Iterator[IndexWrite]:
        return iter(self._writes)

    @property
    def due(self) -> float:
        """When the index is to be told, by the clock of `add`; infinite if there is nothing."""
        return self._due

    def add(self, now: float, *writes: IndexWrite, can_wait: bool = False) -> None:
        """Take what the index is to be told behind what waits already.

        :param can_wait: others may come first, for `GATHER_SECONDS`.
        """
        self._writes += writes
        self._due = min(self._due, now + GATHER_SECONDS if can_wait else now)

    def clear(self) -> None:
        """Forget it: it was told, or never will be."""
        self._writes.clear()
        self._due = math.inf
