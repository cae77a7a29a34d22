"""What comes over an RTSP connection: messages, and media frames between them.

::

    message   | start line, headers, blank line | body |
    frame     | "$" | channel 8 | length 16 | RTP or RTCP packet |          RFC 2326 §10.12

Most of the bytes of a recorder come this way, tens of frames in a read and nearly all of them
alike. So the receiver of the frames may return a *run*, which takes what it can of a read, many
frames at once and without a call for each (`axis_nvr.session.pictures`). What it leaves goes the
general way, one frame at a time.

Out of place. Bytes that are neither a message nor a frame are skipped up to the next that can be
one: an old live555 sends what is left of the last session when a socket is used again (quirk 6).
"""

import re
import struct
from collections.abc import Callable, Collection
from typing import Protocol

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

DOLLAR = 0x24
_HEAD = struct.Struct("!BBH")
#: What a message can begin with, as far as it has come.
_MESSAGE_BEGINNING = re.compile(rb"[A-Z][A-Z_]{0,19}(?:[ /]|\Z)")
_LINE_ENDS = b"\r\n"


class Run(Protocol):
    """Takes frames of a shape that it knows.

    :ivar is_cut: the read ends in the midst of what `take` has left: it is to be offered again
        together with what comes next.
    """

    is_cut: bool

    def take(self, data: bytes, place: int) -> int:
        """Take what can be taken.

        :param place: where a frame begins in `data`, whole or not.
        :returns: where the first frame begins that was not taken.
        """


def build_frame(channel: int, packet: bytes) -> bytes:
    """Build an interleaved frame.

    Source: RFC 2326 §10.12.
    """
    return _HEAD.pack(DOLLAR, channel, len(packet)) + packet


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

        :param data: as it came, of any size. It is copied if something cut is in front of it.
        :returns: the messages in it; frames are handed to `receive_frame` meanwhile.
        """
        messages: list[Message] = []
        if rest := self._rest:
            if len(rest) + len(data) < self._needed:
                rest += data
                return messages
            data = b"".join((rest, data))
            rest.clear()
        self._read(data, messages)
        return messages

    def _read(self, data: bytes, messages: list[Message]) -> None:
        """Take bytes apart; keep what is not whole."""
        place, size = 0, len(data)
        view = memoryview(data)
        channels = self._channels
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
            if self._run is not None:
                taken_to = self._run.take(data, place)
                if self._run.is_cut:
                    place = taken_to
                    break
                if taken_to != place:
                    place = taken_to
                    continue
            if place + 4 > size:
                self._needed = 4
                break
            length = data[place + 2] << 8 | data[place + 3]
            end = place + 4 + length
            if data[place + 1] not in channels and not self._is_plausible(data, place):
                self._lost = True
                continue
            if end > size:
                self._needed = 4 + length
                break
            self._run = self._receive_frame(data[place + 1], view[place + 4 : end])
            place = end
        if place < size:
            self._rest += view[place:]

    def finish(self) -> None:
        """Give out the frames that wait for more of what they are part of: no more comes."""
        rest, place = bytes(self._rest), 0
        self._rest.clear()
        while len(rest) - place >= 4 and rest[place] == DOLLAR:
            end = place + 4 + (rest[place + 2] << 8 | rest[place + 3])
            if end > len(rest):
                break
            self._receive_frame(rest[place + 1], memoryview(rest)[place + 4 : end])
            place = end

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
