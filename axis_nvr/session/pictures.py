"""The fast path of interleaved pictures: out of a read, into units, with no call for each packet.

Theory of operation. Nearly all that a camera sends is pictures of a steady shape: one NAL unit,
alone in its packet or in fragments of which all but the last have the same size, the last packet
marked, sequence numbers without a hole. `Pictures.take` takes them in one loop, whole ones and
parts of them, and leaves everything else, whatever is odd about it, to the general path::

    | $ | channel | length | 80 | type | sequence | timestamp | SSRC | fragment header | content
    '------------------- head, 8 bytes -----------'-------------- tail ----------------'

- Pictures whose fragments are all there are taken as a whole, those of one shape that follow each
  other at once (`axis_nvr.session.picture_shape`).
- One that the end of the read cuts is left there until the rest has come, if it is not too much.
- Of others what is there: the first packet, fragments of an open NAL unit, the last one. `head` is
  compared as a number, which grows by 1 from packet to packet since the sequence number is its end,
  and `tail` as bytes. Where the sequence number wraps the loop begins anew: a carry must not become
  the next payload type. The fragments are taken whenever a fragmented NAL unit is open.
- Pictures begin and end here only while the stream is *steady*: units leave at their marked packet,
  nothing was lost, nothing is held back.

Padding, CSRCs and header extensions change the first byte of the packet, and so `head`.

There is one state, that of the depacketizer and the receiver, and it is true after each call: a
read may be cut anywhere, and either path goes on where the other stopped. `Pictures.arm` is called
after each packet that went the general way, and finds out what may be taken now. A test holds
both paths equal.
"""

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache

from axis_nvr.media.units import VideoFormat
from axis_nvr.session.depacketizers.nal_units import (
    END_BIT,
    MAX_UNIT_BYTES,
    SLICE,
    SYNC,
    Beginning,
    NalUnitDepacketizer,
)
from axis_nvr.session.picture_shape import PAYLOAD, PictureShape
from axis_nvr.session.rtp_receiver import RtpReceiver

#: Sizes of fragments that are remembered, a pair of sizes each.
MAX_SIZES = 256
#: Shapes of pictures that are remembered for each source. Most cameras have one for key frames and
#: one for others; to learn one takes 300 µs, so that others go by parts.
MAX_SHAPES = 16
#: A picture that the end of a read cuts is kept until the rest of it has come, if no more than this
#: is there, in bytes: to copy that is cheaper than to take the picture by parts.
MAX_CUT_BYTES = 64 * 1024
#: Beginnings of packets that are remembered for each source.
MAX_BEGINNINGS = 64

DOLLAR = 0x24
#: The marker bit in a head.
MARKER = 0x80 << 16
#: Frames that are shorter go the general way: they may lack a part of what is compared.
MIN_FRAME_BYTES = 20
#: How a packet leaves its NAL unit: as yet incomplete, or complete without a marker or with it.
OPEN, UNMARKED, MARKED = range(3)
#: Bytes of a frame before its sequence number.
START = 6
_WORD = struct.Struct("!Q")


@lru_cache(maxsize=MAX_SIZES)
def _fragment(tail_size: int, content_size: int) -> struct.Struct:
    """Give what takes a frame apart into head, tail and content."""
    return struct.Struct(f"!Q{tail_size}s{content_size}s")


class Pictures:
    """Takes the steady pictures of one track.

    :param payload_type: of the track.
    :param receiver: of the track.
    :param nal_units: its depacketizer.
    :param take_pictures: takes what became units: the timestamp and the data of each, then sync and
        format of them all.
    :param complete: completes the open fragmented NAL unit in the general way; told whether it
        ended with the marker.
    :ivar now: when the read came that is being taken.
    :ivar is_cut: see `axis_nvr.session.interleaved.Run`.
    """

    __slots__ = (
        "_armed",
        "_beginnings",
        "_complete",
        "_format",
        "_head",
        "_head_size",
        "_last_tail",
        "_may_begin",
        "_middle_tail",
        "_nal_units",
        "_number",
        "_payload_type",
        "_receiver",
        "_shapes",
        "_source",
        "_start",
        "_steady",
        "_sync",
        "_take_pictures",
        "is_cut",
        "now",
    )

    def __init__(
        self,
        payload_type: int,
        receiver: RtpReceiver,
        nal_units: NalUnitDepacketizer,
        take_pictures: Callable[[Sequence[int], Sequence[bytes], bool, VideoFormat], None],
        complete: Callable[[bool], None],
    ) -> None:
        self.now = 0.0
        self.is_cut = False
        self._payload_type = payload_type
        self._receiver = receiver
        self._nal_units = nal_units
        self._take_pictures = take_pictures
        self._complete = complete
        self._armed = False  # something may be taken
        self._may_begin = self._steady = False
        self._head = 0  # of each frame, without length, marker and sequence number
        self._number = 0  # of the next packet, while a read is being taken; does not wrap
        self._source = self._middle_tail = self._last_tail = b""
        self._start = struct.Struct(f"!QI4s{nal_units.FRAGMENT_HEADER_BYTES}s")
        self._head_size = PAYLOAD + nal_units.FRAGMENT_HEADER_BYTES
        self._beginnings: dict[bytes, Beginning] = {}
        self._shapes: dict[bytes, PictureShape] = {}
        self._sync = False
        self._format: VideoFormat | None = None

    def arm(self, channel: int, may_begin: bool) -> bool:
        """Find out what may be taken, after a packet has gone the general way.

        :param channel: on which the packets come.
        :param may_begin: whether pictures may begin here too; no while units are held back.
        :returns: whether anything may be taken.
        """
        nal_units, receiver = self._nal_units, self._receiver
        assert receiver.ssrc is not None
        head = DOLLAR << 56 | channel << 48 | 0x80 << 24 | self._payload_type << 16
        source = receiver.ssrc.to_bytes(4, "big")
        if head != self._head or source != self._source:
            self._head, self._source = head, source
            self._shapes.clear()
        self._may_begin = may_begin
        if header := nal_units.fragment_header:
            assert nal_units.timestamp is not None
            source = (nal_units.timestamp & 0xFFFFFFFF).to_bytes(4, "big") + self._source
            self._middle_tail = source + header
            self._last_tail = source + header[:-1] + bytes((header[-1] | END_BIT,))
        self._settle()
        if nal_units.fragments:  # the picture that is open may have begun the general way
            role = nal_units.ROLES[nal_units.fragments[0][0]]
            self._steady = self._steady and bool(role & SLICE)
            self._sync = bool(role & SYNC)
        return self._armed

    def _settle(self) -> None:
        """Take note of what the depacketizer can do now."""
        nal_units = self._nal_units
        self._format = nal_units.format
        self._steady = self._may_begin and nal_units.is_steady and self._format is not None
        self._armed = self._steady or bool(nal_units.fragment_header)

    def disarm(self) -> None:
        """Take nothing more, until `arm`."""
        self._armed = False

    def take(self, data: bytes, place: int) -> int:
        """Take what can be taken of a read.

        :param data: the read, or a part of it.
        :param place: where a frame begins.
        :returns: where the first frame begins that was not taken; `place` if none was.
        """
        receiver, begin, last = self._receiver, place, len(data) - MIN_FRAME_BYTES
        assert receiver.expected_sequence_number is not None
        self._number = number = receiver.expected_sequence_number
        self.is_cut = False
        while self._armed and place <= last:
            following = place
            if self._steady and not self._nal_units.fragments:
                following = self._take_whole(data, place)
            if following == place:
                if self.is_cut:
                    break
                following = self._take_part(data, place)
                if following == place:
                    break
            place = following
        if count := self._number - number:
            receiver.advance(count, place - begin - count * PAYLOAD, self.now)
        return place

    def _take_whole(self, data: bytes, place: int) -> int:
        """Take pictures of one fragmented NAL unit each that are there from beginning to end.

        :returns: where the last one ends; `place` if none was taken, for it may go by parts.
        """
        begin = data[place : place + START] + data[place + PAYLOAD : place + self._head_size]
        shape = self._shapes.get(begin) or self._learn_shape(begin)
        if shape is None:
            return place
        receiver, nal_units = self._receiver, self._nal_units
        found = shape.find(data, place, self._number & 0xFFFF, receiver.timestamp)
        if not found:
            self.is_cut = len(data) - place <= MAX_CUT_BYTES and shape.is_cut(data, place)
            return place
        count = nal_units.accept_pictures([picture.data for picture in found])
        if count < len(found):
            del found[count:]
            if not found:
                return place
        timestamps, frames, pictures, ends = zip(*found, strict=True)
        unwrapped = receiver.begin_timestamps(timestamps, self.now)
        nal_units.timestamp = unwrapped[-1]
        self._number += sum(frames)
        assert self._format is not None
        self._take_pictures(unwrapped, pictures, shape.beginning.sync, self._format)
        end: int = ends[-1]
        return end

    def _take_part(self, data: bytes, place: int) -> int:
        """Take a packet, or fragments of the same size.

        :returns: where what was taken ends; `place` if nothing was.
        """
        length = data[place + 2] << 8 | data[place + 3]
        end = place + 4 + length
        if end > len(data) or length < MIN_FRAME_BYTES - 4:
            return place
        head = self._head | length << 32 | self._number & 0xFFFF
        if not self._nal_units.fragment_header:
            ended = self._take_first(data, place, end, head)
        elif data.startswith(self._middle_tail, place + 8):
            taken = self._take_middles(data, place, length, head)
            self._number += taken
            return place + taken * (4 + length)
        else:
            ended = self._take_last(data, place, end, head)
        if ended is None:
            return place
        self._number += 1
        if ended != OPEN:
            self._end(ended == MARKED)
        return end

    def _take_first(self, data: bytes, place: int, end: int, head: int) -> int | None:
        """Take a packet that begins a picture, or its next slice; it may be the whole of it.

        :returns: how that leaves the NAL unit, `OPEN` or `MARKED`; None if it was not taken.
        """
        nal_units, receiver = self._nal_units, self._receiver
        found, timestamp, source, header = self._start.unpack_from(data, place)
        beginning = self._beginnings.get(header) or self._learn(header)
        begun = found == head if beginning.nal_header else found == head | MARKER
        if not (begun and self._steady and source == self._source and beginning.is_slice):
            return None
        if timestamp != receiver.timestamp:
            if nal_units.unit:
                return None
            nal_units.timestamp = receiver.begin_timestamp(timestamp, self.now)
            nal_units.is_marked = False
        elif nal_units.is_marked:
            return None
        nal_header = beginning.nal_header
        content = data[place + PAYLOAD + (len(header) if nal_header else 0) : end]
        nal_units.fragments += nal_header, content
        nal_units.fragment_bytes = len(nal_header) + len(content)
        nal_units.last_marked = False
        self._sync = beginning.sync
        if not nal_header:
            return MARKED
        nal_units.fragment_header = beginning.middle
        self._middle_tail = data[place + 8 : place + PAYLOAD] + beginning.middle
        self._last_tail = data[place + 8 : place + PAYLOAD] + beginning.last
        return OPEN

    def _take_middles(self, data: bytes, place: int, length: int, head: int) -> int:
        """Take fragments of the same size.

        :returns: how many.
        """
        nal_units, tail = self._nal_units, self._middle_tail
        content_size = length - 4 - len(tail)
        if content_size <= 0:
            return 0
        append = nal_units.fragments.append
        most = min(
            (len(data) - place) // (4 + length),
            (MAX_UNIT_BYTES - nal_units.unit_bytes - nal_units.fragment_bytes) // content_size,
            0x10000 - (head & 0xFFFF),
        )
        expected = head
        frames = memoryview(data)[place : place + most * (4 + length)]
        for found, rest, content in _fragment(len(tail), content_size).iter_unpack(frames):
            if found != expected or rest != tail:
                break
            append(content)
            expected += 1
        taken = expected - head
        nal_units.fragment_bytes += taken * content_size
        return taken

    def _take_last(self, data: bytes, place: int, end: int, head: int) -> int | None:
        """Take the last fragment of a NAL unit, the picture's last or not.

        :returns: `MARKED`, `UNMARKED`, or None if it was not taken.
        """
        nal_units, tail = self._nal_units, self._last_tail
        begin = place + 8 + len(tail)
        room = MAX_UNIT_BYTES - nal_units.unit_bytes - nal_units.fragment_bytes
        (found,) = _WORD.unpack_from(data, place)
        if (
            found & ~MARKER != head
            or not data.startswith(tail, place + 8)
            or not 0 < end - begin <= room
        ):
            return None
        nal_units.fragments.append(data[begin:end])
        nal_units.fragment_bytes += end - begin
        return UNMARKED if found == head else MARKED

    def _end(self, marker: bool) -> None:
        """End the NAL unit, and the picture with it if this is all."""
        nal_units = self._nal_units
        if marker and self._steady and (data := nal_units.take_picture()) is not None:
            assert nal_units.timestamp is not None
            assert self._format is not None
            self._take_pictures((nal_units.timestamp,), (data,), self._sync, self._format)
        else:
            self._complete(marker)
            self._settle()

    def _learn(self, header: bytes) -> Beginning:
        """Look at the first bytes of a payload that have not been seen before."""
        if len(self._beginnings) >= MAX_BEGINNINGS:
            self._beginnings.clear()
        self._beginnings[header] = beginning = self._nal_units.beginning(header)
        return beginning

    def _learn_shape(self, begin: bytes) -> PictureShape | None:
        """Learn what pictures look like that begin with a fragment of some size.

        :param begin: of its frame: what is in front of the sequence number, then the header of the
            fragment.
        :returns: None if no shape is to be learned from it.
        """
        start, header = begin[:START], begin[START:]
        head = int.from_bytes(start, "big") << 16
        length = head >> 32 & 0xFFFF
        beginning = self._beginnings.get(header)
        if (
            beginning is None
            or not beginning.nal_header
            or head & ~(0xFFFF << 32) != self._head
            or length < MIN_FRAME_BYTES - 4
            or len(self._shapes) >= MAX_SHAPES
        ):
            return None
        shape = PictureShape(start, self._source, header, beginning)
        self._shapes[begin] = shape
        return shape
