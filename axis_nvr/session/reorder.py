"""Puts datagrams back into the order of their sequence numbers.

UDP may reorder; whatever takes RTP packets apart must not. A datagram that is next in turn passes
straight through. One that comes early waits for those before it, but never longer than a limit in
time, and never behind more than a limit in packets: then the hole is given up, and the receiver
counts it as loss.

The buffer knows sequence numbers only. It invents nothing and changes nothing: what comes out are
the objects put in, each at most once.
"""

from axis_nvr.session.sequence import sequence_difference

#: A datagram waits for those before it no longer than this, in seconds.
REORDER_LIMIT_SECONDS = 0.2

#: No more datagrams wait than this: 200 ms of some 25 Mbit/s.
REORDER_LIMIT_PACKETS = 512

#: A number as far behind is late or double; farther behind, or farther ahead than the limit in
#: packets, the sequence has jumped and is followed at once (RFC 3550 §A.1).
MAX_LATE_PACKETS = 100


class ReorderBuffer:
    """Gives datagrams in order.

    :param limit_packets: no more datagrams wait, and none is further ahead. 1 to 16 384.
    :param limit_seconds: no datagram waits longer, if `flush` is called when `next_timeout` says.
    :ivar reordered: datagrams that came behind a later one and were put in their place.
    :ivar late: datagrams dropped because their hole had been given up.
    :ivar duplicates: datagrams dropped because one of their number was there, or had passed.
    :ivar resyncs: how often the sequence jumped.
    """

    __slots__ = (
        "_given_up",
        "_highest",
        "_limit_packets",
        "_limit_seconds",
        "_next",
        "_waiting",
        "duplicates",
        "late",
        "reordered",
        "resyncs",
    )

    def __init__(
        self,
        limit_packets: int = REORDER_LIMIT_PACKETS,
        limit_seconds: float = REORDER_LIMIT_SECONDS,
    ) -> None:
        self._limit_packets = limit_packets
        self._limit_seconds = limit_seconds
        self._next = -1  # the number whose turn it is; -1 before the first
        self._highest = -1  # the number farthest ahead so far
        self._waiting: dict[int, tuple[bytes, float]] = {}  # by number; in order of arrival
        self._given_up: set[int] = set()
        self.reordered = self.late = self.duplicates = self.resyncs = 0

    def push(self, data: bytes, sequence_number: int, now: float) -> list[bytes]:
        """Take a datagram.

        :param sequence_number: of the packet it holds, 0 to 65 535.
        :param now: in seconds of a clock that does not jump.
        :returns: the datagrams whose turn has come, in order; often just this one.
        """
        if sequence_number == self._next and not self._waiting:
            self._highest = sequence_number
            self._next = (sequence_number + 1) & 0xFFFF
            return [data]
        if self._next < 0:
            self._next = self._highest = sequence_number
        ahead = sequence_difference(sequence_number, self._next)
        if not -MAX_LATE_PACKETS <= ahead < self._limit_packets:
            return self._resync(data, sequence_number)
        if ahead < 0:
            self._count_late(sequence_number)
        elif sequence_number in self._waiting:
            self.duplicates += 1
        else:
            if sequence_difference(sequence_number, self._highest) < 0:
                self.reordered += 1
            else:
                self._highest = sequence_number
            self._waiting[sequence_number] = (data, now)
        ready = self._take_in_turn()
        return ready + self.flush(now) if self._waiting else ready

    def flush(self, now: float) -> list[bytes]:
        """Give up the holes that were waited for long enough.

        :returns: the datagrams that need wait no more, in order.
        """
        ready: list[bytes] = []
        while (due := self.next_timeout()) is not None and due <= now:
            self._skip_hole()
            ready += self._take_in_turn()
        return ready

    def drain(self) -> list[bytes]:
        """Give up all holes: the source has ended.

        :returns: all that waited, in order.
        """
        ready: list[bytes] = []
        while self._waiting:
            self._skip_hole()
            ready += self._take_in_turn()
        return ready

    def next_timeout(self) -> float | None:
        """When `flush` is to be called; None if nothing waits."""
        for _, arrived in self._waiting.values():
            return arrived + self._limit_seconds
        return None

    def _take_in_turn(self) -> list[bytes]:
        ready: list[bytes] = []
        while (item := self._waiting.pop(self._next, None)) is not None:
            ready.append(item[0])
            self._next = (self._next + 1) & 0xFFFF
        return ready

    def _skip_hole(self) -> None:
        """Go on with the nearest datagram that waits."""
        gap = min(sequence_difference(number, self._next) for number in self._waiting)
        end = self._next + gap
        missed = range(max(self._next, end - MAX_LATE_PACKETS), end)
        self._given_up = {
            number
            for number in self._given_up
            if -MAX_LATE_PACKETS <= sequence_difference(number, end & 0xFFFF) < 0
        }
        self._given_up.update(number & 0xFFFF for number in missed)
        self._next = end & 0xFFFF

    def _resync(self, data: bytes, sequence_number: int) -> list[bytes]:
        """Follow a jump: what waited comes out first."""
        ready = self.drain()
        ready.append(data)
        self._given_up.clear()
        self._highest = sequence_number
        self._next = (sequence_number + 1) & 0xFFFF
        self.resyncs += 1
        return ready

    def _count_late(self, sequence_number: int) -> None:
        if sequence_number in self._given_up:
            self._given_up.remove(sequence_number)
            self.late += 1
        else:
            self.duplicates += 1
