"""Numbers that wrap: sequence numbers (16 bits) and RTP timestamps (32 bits).

Two such numbers are only ever compared here. The distance between them is taken the short way
round, so it is right as long as they are less than half a turn apart: 32 768 packets, or
6 h 37 min at 90 kHz.
"""


def sequence_difference(a: int, b: int) -> int:
    """How many packets `a` lies behind `b` in the stream: -32 768 to 32 767, 1 for the next one.

    Source: RFC 3550 §A.1; RFC 1982 §3.2.
    """
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


def timestamp_difference(a: int, b: int) -> int:
    """How many ticks the RTP timestamp `a` is later than `b`: -2³¹ to 2³¹ - 1.

    Source: RFC 3550 §5.1.
    """
    return ((a - b + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


class TimestampUnwrapper:
    """Turns numbers that wrap into ones that go on, each taken as near as can be to the last.

    :param bits: the width of the number.
    :ivar last: the last value given out; None before the first.
    """

    __slots__ = ("_half", "_mask", "last")

    def __init__(self, bits: int = 32) -> None:
        self._mask = (1 << bits) - 1
        self._half = 1 << (bits - 1)
        self.last: int | None = None

    def unwrap(self, value: int) -> int:
        """Take the next number, in any order within half a turn.

        :returns: `value` plus a multiple of the width: the first as it is, the others nearest to
            their predecessor. Below zero if the first number was followed by an earlier one.
        """
        last = self.last
        if last is None:
            self.last = value & self._mask
        else:
            self.last = last = last + ((value - last + self._half) & self._mask) - self._half
            return last
        return self.last

    def unwrap_near(self, value: int, expected: int) -> int:
        """Take the next number as the one nearest to `expected`, after a pause of unknown turns."""
        self.last = expected + ((value - expected + self._half) & self._mask) - self._half
        return self.last
