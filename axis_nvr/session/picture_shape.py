"""A picture in fragments of one size, found in a read by one regular expression.

::

    first     | $ | channel | length | 80 | type | sequence | timestamp | SSRC | header, S | content
    middles   | $ | channel | length | 80 | type | sequence | timestamp | SSRC | header    | content
    last      | $ | channel | any    | 80 | TYPE | sequence | timestamp | SSRC | header, E | content

TYPE is the payload type with the marker. What all frames share is told by the shape, or by the
first of them; the contents are passed over without a look. Only the sequence numbers are compared
afterwards: the frames lie on a grid, so that their bytes are two slices of the read.
"""

import re
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from axis_nvr.session.depacketizers.nal_units import Beginning

#: Fragments that are cut out of a read at once, and how many ways to do so are remembered: a
#: kilobyte or two each.
MAX_FRAGMENTS = 64
MAX_CUTTERS = 256
#: Where the sequence number and what follows it begin in a frame, in bytes.
NUMBER, STAMP, PAYLOAD = 6, 8, 16
MARKER = 0x80
#: Low bytes of sequence numbers that follow each other: a picture of more frames is not found.
_LOWS = bytes(range(256)) * 2
_BYTES = [bytes((value,)) for value in range(256)]


class PictureShape:
    """Finds pictures whose fragments, but for the last one, are frames of one size.

    :param start: what each frame but the last begins with, up to the sequence number.
    :param source: the SSRC, four bytes.
    :param first: the header of the first fragment.
    :param beginning: of such a picture; it is fragmented.
    :ivar beginning: the same.
    :ivar head_size: what is in front of the content of each frame, in bytes.
    """

    __slots__ = ("_begin", "_channel", "_content_size", "_match", "_step", "beginning", "head_size")

    def __init__(self, start: bytes, source: bytes, first: bytes, beginning: Beginning) -> None:
        self.beginning = beginning
        self.head_size = PAYLOAD + len(first)
        self._step = 4 + int.from_bytes(start[2:4], "big")
        self._content_size = self._step - self.head_size
        self._channel, version, kind = start[:2], start[4:5], start[5]
        middle, last = re.escape(beginning.middle), re.escape(beginning.last)
        start, source = re.escape(start), re.escape(source)
        channel, marked = re.escape(self._channel), re.escape(version + bytes((kind | MARKER,)))
        content = b".{%d}" % self._content_size
        begin = b"%s..(?P<stamp>.{4})%s%s%s" % (start, source, re.escape(first), content)
        begin += rb"(?:%s..(?P=stamp)%s%s%s)*+" % (start, source, middle, content)
        end = rb"%s(..)%s..(?P=stamp)%s%s" % (channel, marked, source, last)
        self._begin = re.compile(begin, re.DOTALL).match
        self._match = re.compile(begin + end, re.DOTALL).match

    def find(
        self, data: bytes, place: int, number: int
    ) -> tuple[int, int, Sequence[bytes], int] | None:
        """Find a picture at a place of a read, all of it.

        :param number: the sequence number that it must begin with; it may wrap.
        :returns: its timestamp as it came, how many frames it has, the contents of its fragments,
            and where the last frame ends; None if what is there is anything else, or not all there.
        """
        match = self._match(data, place)
        if match is None:
            return None
        stamp, length = match.groups()
        begin, step = match.end(), self._step
        frames = (begin - place) // step + 1
        end = begin - self.head_size + 4 + int.from_bytes(length, "big")
        low = number & 0xFF
        if (
            not begin < end <= len(data)
            or data[place + NUMBER + 1 : begin : step] != _LOWS[low : low + frames]
        ):
            return None
        highs = data[place + NUMBER : begin : step]
        if highs != _BYTES[number >> 8] * frames and highs != _highs(number, frames):
            return None
        contents: Sequence[bytes]
        if frames <= MAX_FRAGMENTS:
            cut = _cutter(frames - 1, self.head_size, self._content_size)
            contents = (*cut(data, place), data[begin:end])
        else:
            contents = self._contents(data, place, begin, end)
        return int.from_bytes(stamp, "big"), frames, contents, end

    def _contents(self, data: bytes, place: int, begin: int, end: int) -> Sequence[bytes]:
        """Cut many fragments' contents out of a read, that of the last from `begin` to `end`."""
        left = (begin - place) // self._step
        contents: list[bytes] = []
        while left:
            count = min(left, MAX_FRAGMENTS)
            contents += _cutter(count, self.head_size, self._content_size)(data, place)
            place += count * self._step
            left -= count
        contents.append(data[begin:end])
        return contents

    def is_cut(self, data: bytes, place: int) -> bool:
        """Tell whether a read ends in the midst of a picture that may be found when more has come.

        :returns: no, if anything whole follows the fragments that are there.
        """
        match = self._begin(data, place)
        if match is None:
            return False
        end = match.end()
        head = data[end : end + 4]
        if len(head) < 4:
            return self._channel.startswith(head[:2])
        return head[:2] == self._channel and end + 4 + int.from_bytes(head[2:], "big") > len(data)


def _highs(number: int, frames: int) -> bytes:
    """Give the high bytes of so many sequence numbers from `number` on."""
    high, before = number >> 8, 256 - (number & 0xFF)
    if frames <= before:
        return _BYTES[high] * frames
    return _BYTES[high] * before + _BYTES[high + 1 & 0xFF] * (frames - before)


@lru_cache(maxsize=MAX_CUTTERS)
def _cutter(
    count: int, head_size: int, content_size: int
) -> Callable[[bytes, int], tuple[Any, ...]]:
    """Give what cuts the contents out of so many frames; sizes in bytes."""
    return struct.Struct(f"{head_size}x{content_size}s" * count).unpack_from
