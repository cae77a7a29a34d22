"""The bytes that all GOP buffers of a recorder may hold together.

The oldest whole group in any buffer goes first, by order of arrival: cameras whose clocks differ
are treated alike. Units of groups that are still open are not counted; `axis_nvr.media.gop` bounds
them.
"""

from collections import OrderedDict
from collections.abc import Callable

from axis_nvr.media.gop import Gop

#: What all pre-buffers of a recorder hold together unless configured otherwise.
DEFAULT_TOTAL_BYTES = 512 * 1024 * 1024


class HeldGop:
    """A whole group as a buffer holds it: its parts, which come and go together.

    :param drop: tells the buffer that the budget wants the bytes back.
    """

    __slots__ = ("drop", "parts", "size_bytes")

    def __init__(self, drop: Callable[["HeldGop"], None]) -> None:
        self.parts: list[Gop] = []
        self.size_bytes = 0
        self.drop = drop


class ByteBudget:
    """One limit for many buffers.

    :ivar limit_bytes: how much they may hold together.
    :ivar used_bytes: how much they hold.
    :ivar dropped_gops: whole groups that went because of this limit.
    """

    def __init__(self, limit_bytes: int = DEFAULT_TOTAL_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.dropped_gops = 0
        self._oldest_first: OrderedDict[HeldGop, None] = OrderedDict()

    def take(self, held: HeldGop, size_bytes: int) -> None:
        """Count bytes that joined a held group; the oldest groups go until all fit.

        :param held: a new one, or one that was taken before and grew.
        """
        self._oldest_first[held] = None
        self.used_bytes += size_bytes
        while self.used_bytes > self.limit_bytes:
            self.dropped_gops += 1
            oldest = next(iter(self._oldest_first))
            oldest.drop(oldest)

    def give_back(self, held: HeldGop) -> None:
        """Count a group as gone, all its bytes with it."""
        del self._oldest_first[held]
        self.used_bytes -= held.size_bytes
