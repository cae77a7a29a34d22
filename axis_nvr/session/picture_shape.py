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
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

#: Fragments that are cut out of a read at once, and how many ways to do so are remembered: a
#: kilobyte or two each.
MAX_FRAGMENTS = 64
MAX_CUTTERS = 256
#: Where the sequence number and what follows it begin in a frame, in bytes.
NUMBER, STAMP, PAYLOAD = 6, 8, 16
MARKER = 0x80
#: Low bytes of sequence numbers that follow each other: a picture of more frames is not found.
_LOWS = bytes(range(256)) * 2


class WholePicture(NamedTuple):
    """What was found.

    :ivar timestamp: as it came.
    :ivar source: its SSRC, four bytes.
    :ivar frames: how many.
    :ivar contents: of the fragments, in order, without their headers.
    :ivar size: of all contents, in bytes.
    :ivar end: where the last frame ends.
    """

    timestamp: int
    source: bytes
    frames: int
    contents: list[bytes]
    size: int
    end: int


class PictureShape:
    """Finds pictures whose fragments, but for the last one, are frames of one size.

    :param start: what each frame but the last begins with, up to the sequence number.
    :param first: the header of the first fragment; then those of the middle ones and the last.
    """

    __slots__ = ("_head_size", "_match", "_step")

    def __init__(self, start: bytes, first: bytes, middle: bytes, last: bytes) -> None:
        self._step = 4 + int.from_bytes(start[2:4], "big")
        self._head_size = PAYLOAD + len(first)
        channel, version, kind = start[:2], start[4:5], start[5]
        content = b".{%d}" % (self._step - self._head_size)
        quoted = re.escape(start)
        self._match = re.compile(
            b"%s..(.{4})(.{4})%s%s" % (quoted, re.escape(first), content)
            + rb"(?:%s..\1\2%s%s)*+" % (quoted, re.escape(middle), content)
            + rb"%s(..)%s..\1\2%s"
            % (re.escape(channel), re.escape(version + bytes((kind | MARKER,))), re.escape(last)),
            re.DOTALL,
        ).match

    def find(self, data: bytes, place: int, number: int) -> WholePicture | None:
        """Find a picture at a place of a read, all of it.

        :param number: the sequence number that it must begin with; it may wrap.
        :returns: None if what is there is anything else, or not all there.
        """
        match = self._match(data, place)
        if match is None:
            return None
        step, head_size, begin = self._step, self._head_size, match.end()
        stamp, source, length = match.groups()
        last = begin - head_size
        frames = (last - place) // step + 1
        end = last + 4 + int.from_bytes(length, "big")
        high, low = number >> 8, number & 0xFF
        if (
            not begin < end <= len(data)
            or data[place + NUMBER + 1 : begin : step] != _LOWS[low : low + frames]
            or data[place + NUMBER : begin : step]
            != (bytes((high,)) * (256 - low) + bytes((high + 1 & 0xFF,)) * frames)[:frames]
        ):
            return None
        contents: list[bytes] = []
        left = frames - 1
        while left:
            count = min(left, MAX_FRAGMENTS)
            contents += _cutter(count, head_size, step - head_size)(data, place)
            place += count * step
            left -= count
        contents.append(data[begin:end])
        size = (frames - 1) * (step - head_size) + end - begin
        return WholePicture(int.from_bytes(stamp, "big"), source, frames, contents, size, end)


@lru_cache(maxsize=MAX_CUTTERS)
def _cutter(
    count: int, head_size: int, content_size: int
) -> Callable[[bytes, int], tuple[Any, ...]]:
    """Give what cuts the contents out of so many frames; sizes in bytes."""
    return struct.Struct(f"{head_size}x{content_size}s" * count).unpack_from
