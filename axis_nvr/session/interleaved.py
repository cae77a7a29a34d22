"""What comes over an RTSP connection: messages, and media frames between them.

::

    message   | start line, headers, blank line | body |
    frame     | "$" | channel 8 | length 16 | RTP or RTCP packet |          RFC 2326 §10.12

Most of the bytes of a recorder come this way, so this is its hottest loop. A read holds tens of
packets, and nearly all of them are the middle of a fragmented NAL unit: same channel, same first
byte, same payload type, next sequence number, same timestamp, same source, same fragment header.
Such a *run* is taken here, its contents appended to the open access unit with no object and no
call for each packet. What makes a run is told by a `Run`, which the receiver of the frames
returns; it is the only thing that this module knows of RTP::

    | $ | channel | length | 80 | type | sequence | timestamp | SSRC | fragment header | content
    '------------------- head, 8 bytes -----------'-------------- tail ----------------'

The last fragment, if it is marked, is taken in the same way, alone.
`head` is compared as one number that grows by 1, since the sequence number is its end; where that
wraps, one run ends and the next begins. Everything else goes the general way, one frame at a time,
and a test holds both ways equal.

Out of place. Bytes that are neither a message nor a frame are skipped up to the next that can be
one: an old live555 sends what is left of the last session when a socket is used again (quirk 6).
"""

import re
import struct
from collections.abc import Callable, Collection
from functools import lru_cache

from axis_nvr.errors import WireError
from axis_nvr.wire.rtsp import (
    START,
    Message,
    content_length,
    find_head_end,
    parse_head,
    with_body,
)

#: Bytes kept of a read in which no place to go on was found: a start may be cut in two there.
KEPT_WHEN_LOST_BYTES = 16
#: Shapes of packets that are remembered, a pair of sizes each.
MAX_SHAPES = 256

DOLLAR = 0x24
#: The marker bit in `Run.head`.
MARKER = 0x80 << 16
_HEAD = struct.Struct("!BBH")
_WORD = struct.Struct("!Q")
#: What a message can begin with, as far as it has come.
_MESSAGE_BEGINNING = re.compile(rb"[A-Z][A-Z_]{0,19}(?:[ /]|\Z)")
_LINE_ENDS = b"\r\n"


class Run:
    """What the packets look like that continue and end a fragmented NAL unit open on a channel.

    :param took: told how many packets were taken, and the bytes of RTP payload of each.
    :param ended: told that the last fragment, with the marker, has been taken, and its bytes of
        RTP payload. The run is over then.

    :ivar head: the first eight bytes of the next frame as a number, length and marker left 0.
    :ivar tail: the bytes behind them, up to the content.
    :ivar last_tail: the same in the last fragment.
    :ivar unit: what content is appended to.
    :ivar room: bytes by which `unit` may grow.
    """

    __slots__ = ("ended", "head", "last_tail", "room", "tail", "took", "unit")

    def __init__(self, took: Callable[[int, int], None], ended: Callable[[int], None]) -> None:
        self.took = took
        self.ended = ended
        self.head = self.room = 0
        self.tail = self.last_tail = b""
        self.unit = bytearray()


def build_frame(channel: int, packet: bytes) -> bytes:
    """Build an interleaved frame.

    Source: RFC 2326 §10.12.
    """
    return _HEAD.pack(DOLLAR, channel, len(packet)) + packet


@lru_cache(maxsize=MAX_SHAPES)
def _shape(tail_size: int, content_size: int) -> struct.Struct:
    """Give what takes a frame apart into head, tail and content."""
    return struct.Struct(f"!Q{tail_size}s{content_size}s")


class InterleavedReader:
    """Takes the bytes of a connection apart, however they are cut.

    :param receive_frame: called with the channel and a view of the packet, valid during the call;
        returns the run that may follow, on any channel.

    :ivar channels: those assigned in SETUP. Frames on others are handed on too, but only these
        are believed when the place in the stream is lost.
    :ivar skipped_bytes: that were neither message nor frame, so far.
    """

    def __init__(self, receive_frame: Callable[[int, memoryview], Run | None]) -> None:
        self.skipped_bytes = 0
        self._receive_frame = receive_frame
        self._channels: frozenset[int] = frozenset()
        self._candidates = START
        self._lost = False
        self._run: Run | None = None
        self._rest = bytearray()  # a message or frame that has not come whole
        self._needed = 0  # bytes that `_rest` must have for the next step; 0: not known

    @property
    def channels(self) -> frozenset[int]:
        """The channels assigned in SETUP."""
        return self._channels

    @channels.setter
    def channels(self, channels: Collection[int]) -> None:
        self._channels = frozenset(channels)
        known = b"".join(re.escape(bytes((channel,))) for channel in sorted(self._channels))
        frame_start = rb"\$[%s]..[\x80-\xbf]|" % known if known else b""
        self._candidates = re.compile(frame_start + START.pattern, re.DOTALL)

    def receive(self, data: bytes) -> list[Message]:
        """Take a read.

        :param data: as it came, of any size. It is not copied but for a frame cut at its end.
        :returns: the messages in it; frames are handed to `receive_frame` meanwhile.
        """
        messages: list[Message] = []
        start = 0
        rest = self._rest
        while rest:
            if not self._needed:
                data = bytes(rest) + data[start:]
                start = 0
                rest.clear()
                break
            end = start + self._needed - len(rest)
            rest += data[start:end]
            if len(rest) < self._needed:
                return messages
            start = end
            piece = bytes(rest)
            rest.clear()
            self._read(piece, 0, messages)
        if start < len(data):
            self._read(data, start, messages)
        return messages

    def _read(self, data: bytes, place: int, messages: list[Message]) -> None:
        """Take bytes apart from `place` on; keep what is not whole."""
        size = len(data)
        view = memoryview(data)
        run, channels = self._run, self._channels
        self._needed = 0
        while place < size:
            if self._lost:
                place = self._find_place(data, place)
                if self._lost:
                    break
            if data[place] != DOLLAR:
                following = self._read_message(data, place, messages)
                if following < 0:
                    break
                place = following
                continue
            if place + 4 > size:
                self._needed = 4
                break
            length = data[place + 2] << 8 | data[place + 3]
            end = place + 4 + length
            if run is not None and data.startswith(run.tail, place + 8):
                # The hot path.
                tail, unit = run.tail, run.unit
                content_size = length - 4 - len(tail)
                if content_size > 0:
                    count = min(
                        (size - place) // (4 + length),
                        run.room // content_size,
                        0x10000 - (run.head & 0xFFFF),
                    )
                    expected = first = run.head | length << 32
                    packets = view[place : place + count * (4 + length)]
                    for head, rest, content in _shape(len(tail), content_size).iter_unpack(packets):
                        if head != expected or rest != tail:
                            break
                        unit += content
                        expected += 1
                    if expected != first:
                        count = expected - first
                        place += count * (4 + length)
                        run.room -= count * content_size
                        run.head = run.head & ~0xFFFF | run.head + count & 0xFFFF
                        run.took(count, length - 12)
                        continue
            elif run is not None and end <= size and data.startswith(run.last_tail, place + 8):
                content_size = length - 4 - len(run.last_tail)
                (head,) = _WORD.unpack_from(data, place)
                if head == run.head | length << 32 | MARKER and 0 < content_size <= run.room:
                    run.unit += view[end - content_size : end]
                    run.ended(length - 12)
                    run = None
                    place = end
                    continue
            if data[place + 1] not in channels and not self._is_plausible(data, place):
                self._lost = True
                continue
            if end > size:
                self._needed = 4 + length
                break
            run = self._receive_frame(data[place + 1], view[place + 4 : end])
            place = end
        self._run = run
        if place < size:
            self._rest += view[place:]

    def _is_plausible(self, data: bytes, place: int) -> bool:
        """Tell whether a ``$`` begins a frame on a channel that was never assigned.

        Such a channel may be in use all the same (quirk 7), if what it carries looks like RTP.
        """
        if place + 4 == len(data) or data[place + 2 : place + 4] == b"\0\0":
            return True
        return data[place + 4] >> 6 == 2

    def _read_message(self, data: bytes, place: int, messages: list[Message]) -> int:
        """Take what does not begin with ``$``.

        :returns: where to go on; -1 if the message has not come whole.
        """
        if data[place] in _LINE_ENDS:  # quirk 27: before a frame as before a message
            return place + 1
        if not _MESSAGE_BEGINNING.match(data, place):
            self._lost = True
            return place
        try:
            head_end = find_head_end(data, place)
            if head_end is None:
                return -1
            message = parse_head(data[place:head_end])
            end = head_end + content_length(message)
        except WireError:
            self.skipped_bytes += 1
            self._lost = True
            return place + 1
        if end > len(data):
            self._needed = end - place
            return -1
        messages.append(with_body(message, data[head_end:end]))
        return end

    def _find_place(self, data: bytes, place: int) -> int:
        """Look for the next byte at which a message or a frame can begin.

        :returns: its place; if there is none, where to look again when more has come.
        """
        begin = place
        while found := self._candidates.search(data, begin):
            begin = found.start()
            if data[begin] != DOLLAR:
                break
            end = begin + 4 + (data[begin + 2] << 8 | data[begin + 3])
            if end >= len(data) or data[end] in b"$R\r\n":
                break
            begin += 1
        if found:
            self._lost = False
            self.skipped_bytes += begin - place
            return begin
        kept = max(place, len(data) - KEPT_WHEN_LOST_BYTES)
        self.skipped_bytes += kept - place
        return kept
