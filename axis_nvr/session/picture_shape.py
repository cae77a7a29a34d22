"""Pictures in fragments of one size, each found in a read by one regular expression.

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
from typing import Any, NamedTuple

from axis_nvr.session.depacketizers.nal_units import LENGTH_BYTES, Beginning

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


class FoundPicture(NamedTuple):
    """A picture that was found.

    :ivar timestamp: as it came.
    :ivar frames: how many it came in.
    :ivar data: as it will be stored: its NAL unit behind a length.
    :ivar end: where its last frame ends.
    """

    timestamp: int
    frames: int
    data: bytes
    end: int


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

    def find(self, data: bytes, place: int, number: int, timestamp: int) -> list[FoundPicture]:
        """Find the pictures that follow each other from a place of a read on, all of each.

        :param number: the sequence number that the first must begin with; it may wrap.
        :param timestamp: what is before them has it: the first one must have another.
        :returns: those in front of anything else, or of what is not all there.
        """
        found: list[FoundPicture] = []
        step, head_size, nal_header = self._step, self.head_size, self.beginning.nal_header
        while (match := self._match(data, place)) is not None:
            begin = match.end()
            stamp, length = match.groups()
            before, timestamp = timestamp, int.from_bytes(stamp, "big")
            end = begin - head_size + 4 + int.from_bytes(length, "big")
            if not begin < end <= len(data) or timestamp == before:
                break
            frames, low = (begin - place) // step + 1, number & 0xFF
            if data[place + NUMBER + 1 : begin : step] != _LOWS[low : low + frames]:
                break
            highs = data[place + NUMBER : begin : step]
            if highs != _BYTES[number >> 8] * frames and highs != _highs(number, frames):
                break
            size = end - place - frames * head_size + len(nal_header)
            pieces = [size.to_bytes(LENGTH_BYTES, "big"), nal_header]
            pieces += self._contents(data, place, frames - 1)
            pieces.append(data[begin:end])
            found.append(FoundPicture(timestamp, frames, b"".join(pieces), end))
            place, number = end, number + frames & 0xFFFF
        return found

    def _contents(self, data: bytes, place: int, frames: int) -> Sequence[bytes]:
        """Cut the contents out of so many frames, but for the last."""
        if frames <= MAX_FRAGMENTS:
            return _cutter(frames, self.head_size, self._content_size)(data, place)
        contents: list[bytes] = []
        while frames:
            count = min(frames, MAX_FRAGMENTS)
            contents += _cutter(count, self.head_size, self._content_size)(data, place)
            place += count * self._step
            frames -= count
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
