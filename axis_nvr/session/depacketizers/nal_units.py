"""From RTP to access units of NAL units: what H.264 (RFC 6184) and H.265 (RFC 7798) share.

How a unit grows. ``unit`` is the open access unit as it will be stored, each NAL unit behind four
bytes of length. A fragmented NAL unit is written straight into it, its length filled in when its
last fragment has come. Middle fragments may be appended by whoever has checked that they are such
(`axis_nvr.session.interleaved`): ``fragment_header`` is what they must begin with.

::

    unit   | length | SEI | length | slice … | 0 0 0 0 | slice, as much as has come
                                             ^ _fragment

When a unit ends. The timestamp groups; the marker bit is a hint (RFC 6184 §5.1):

- A marker on a packet without a slice in the unit so far means nothing (quirk 26: Ivel marks the
  SEI, Tapo TC70 and Reolink Duo 2 the parameter sets).
- The first unit of a stream ends when the timestamp changes. If nothing came between its mark and
  that, the marker is trusted from then on, and each unit leaves with its marked packet.
- If a further slice of the same picture comes after a mark, the marker is not trusted any more
  (cameras that mark each slice): units end when the timestamp changes, a frame later. If the unit
  has gone by then, these slices are thrown away, and the next frame tells.
- If a picture begins after a mark, with the same timestamp, it is a unit of its own.
- A camera that never marks (FLIR M400) has its units ended by the timestamp too.
- A unit without any slice is none: its NAL units go ahead of the next one's (cameras that give the
  parameter sets or the SEI another timestamp).

What loss breaks. The picture that lacks a packet is thrown away whole, for a cut NAL unit or a
picture without some of its slices must not look like a good one in storage; the pictures that
refer to it are kept, since decoders conceal. Between two pictures it is told by the first slice
whether the beginning of the second is missing, and by the mark whether the end of the first is: a
unit that waits for the timestamp to change without a mark is thrown away. The next frame carries
the number of packets.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from axis_nvr.errors import WireError
from axis_nvr.media.parameter_sets import ParameterSets
from axis_nvr.media.units import Codec, VideoFormat
from axis_nvr.session.depacketizers.base import NO_FRAMES, Frame
from axis_nvr.wire.nal import split_annex_b

#: One access unit, in bytes; what is larger is thrown away.
MAX_UNIT_BYTES = 16 * 1024 * 1024
#: NAL units in one access unit; what has more is thrown away.
MAX_UNIT_NAL_UNITS = 4096
#: NAL units of a stream that are searched whole for start codes. Searching costs a nanosecond a
#: byte, three times the rest of the way; a camera that sends start codes does so from the start.
START_CODE_TRIAL_NAL_UNITS = 32
#: Bytes of each further NAL unit that are searched: parameter sets in front of a slice show there.
START_CODE_SEARCH_BYTES = 256
#: Pictures after which it is judged whether a stream may be encrypted, then again and again.
ENCRYPTION_WINDOW = 64
#: One in so many pictures is judged, once the first window is over.
JUDGED_EVERY = 8

#: Roles of a NAL unit type, as bits of a `NalUnitDepacketizer.ROLES` entry.
SLICE, SYNC, PARAMETER_SET, LEADING, SEI, FORBIDDEN = 1, 2, 4, 8, 16, 32

#: The last bit but one on top of a fragment header, the same in both RFCs (§5.8, §4.4.3).
END_BIT = 0x40

_START_CODE = b"\0\0\1"
_UNKNOWN_LENGTH = b"\0\0\0\0"


class NalUnitDepacketizer(ABC):
    """The part that is the same for both codecs.

    :param parameter_sets: what is known from the SDP; what comes in band is added to it.
    :ivar unit: the open access unit.
    :ivar timestamp: of the open access unit; None before the first.
    :ivar fragment_header: what a payload that continues the open fragmented NAL unit begins with;
        empty if none is open or what is open has been given up.
    """

    #: What the first byte of a NAL unit tells of its role, for each of the 256.
    ROLES: ClassVar[bytes]
    #: Size of a NAL unit header, in bytes.
    HEADER_BYTES: ClassVar[int]
    CODEC: ClassVar[Codec]

    def __init__(self, parameter_sets: Sequence[bytes] = ()) -> None:
        self.unit = bytearray()
        self.fragment_header = b""
        self.discarded_units = 0
        self.suspected_encrypted = False
        self._sets = ParameterSets(self.CODEC)
        self._frames: list[Frame] = []
        self.timestamp: int | None = None
        self._fragment = -1  # where the open fragmented NAL unit begins in `unit`
        self._nal_count = 0
        self._has_slice = self._sync = self._broken = False
        self._lost, self._damaged = 0, False  # for the next frame
        self._after_loss = False  # does the next NAL unit begin its picture?
        self._marked = False  # the marker has come; is the unit complete?
        self._marker_trusted: bool | None = None  # None: not known yet
        self._last_marked = False  # was the last packet?
        self._start_code_trial = START_CODE_TRIAL_NAL_UNITS
        self._sends_start_codes = False
        self._pictures = self._implausible = 0
        self._pace = self._unjudged = 1  # pictures until the next that is judged
        for nal in parameter_sets:
            self._sets.learn(self._plain(nal))

    @property
    def format(self) -> VideoFormat | None:
        """The format as the parameter sets so far make it."""
        return self._sets.format

    def push(self, payload: memoryview, timestamp: int, marker: bool, lost: int) -> Sequence[Frame]:
        """Take the payload of one packet; see `Depacketizer.push`."""
        if lost:
            self._lose(lost, timestamp)
        if timestamp != self.timestamp:
            self._turn(timestamp)
        if payload:  # some cameras send empty packets
            self._take(payload)
        if marker:
            self._mark()
        self._last_marked = marker
        if not self._frames:
            return NO_FRAMES
        frames, self._frames = self._frames, []
        return frames

    def complete(self) -> Sequence[Frame]:
        """Take note that the last fragment, with the marker, has been appended to `unit`.

        :returns: as `push` does of it.
        """
        self._end_fragment()
        self._mark()
        frames, self._frames = self._frames, []
        return frames

    def damage(self) -> None:
        """Give the open unit up: a packet of it could not be used."""
        self._break()

    def flush(self) -> Sequence[Frame]:
        """Return the open unit if it may be whole: a trusted marker has not come for it yet."""
        if self._marker_trusted and not self._marked:
            self._broken = self._broken or bool(self.unit)
        self._turn(None)
        self.unit.clear()
        frames, self._frames = self._frames, []
        return frames

    @abstractmethod
    def _take(self, payload: memoryview) -> None:
        """Take one payload of the codec apart and call `_add`, `_begin_fragment` and so on."""

    @abstractmethod
    def _is_first_slice(self, nal: bytes | bytearray | memoryview) -> bool:
        """Tell from the first bytes of a slice whether it begins its picture."""

    @abstractmethod
    def _is_plausible(self, nal: bytes) -> bool:
        """Tell from the first bytes of a slice whether they can be a slice header at all."""

    def _plain(self, parameter_set: bytes) -> bytes:
        """Take out of a parameter set what may differ and means nothing."""
        return parameter_set

    def _is_recovery_point(self, nal: bytes) -> bool:
        """Tell whether an SEI NAL unit says that decoding can begin here."""
        return False

    # Whole NAL units, and fragmented ones.

    def _add(self, nal: bytes | memoryview) -> None:
        """Append a whole NAL unit."""
        if self._marked or self._after_loss:
            self._look_at_beginning(nal)
        start = len(self.unit)
        self.unit += _UNKNOWN_LENGTH
        self.unit += nal
        self._close(start)

    def _begin_fragment(self, header: bytes, content: memoryview) -> None:
        """Append the NAL unit header and the first fragment of a NAL unit."""
        if self._fragment >= 0:  # its end bit never came, its bytes have
            self._end_fragment()
        if self._marked or self._after_loss:
            self._look_at_beginning(header + content[:1])
        self._fragment = len(self.unit)
        self.unit += _UNKNOWN_LENGTH + header
        self.unit += content

    def _continue_fragment(self, content: memoryview) -> None:
        """Append a further fragment, the header that repeats in each excluded."""
        if self._fragment < 0:  # its beginning is missing
            self._break()
            return
        self.unit += content
        if len(self.unit) > MAX_UNIT_BYTES:
            self._break()

    def _end_fragment(self) -> None:
        """Complete the fragmented NAL unit."""
        start, self._fragment, self.fragment_header = self._fragment, -1, b""
        if start >= 0:
            self._close(start)

    def _close(self, start: int) -> None:
        """Look at the NAL unit that goes from `start` to the end of the unit: keep it or not."""
        unit = self.unit
        begin, end = start + 4, len(unit)
        searched = end
        if self._start_code_trial:
            self._start_code_trial -= 1
        elif not self._sends_start_codes:
            searched = begin + START_CODE_SEARCH_BYTES
        if unit.find(_START_CODE, begin, searched) >= 0:
            self._split(start)
            return
        role = self.ROLES[unit[begin]]
        if role & PARAMETER_SET:
            self._sets.learn(self._plain(bytes(unit[begin:])))
            del unit[start:]
            return
        if role & SLICE:
            if end - begin <= self.HEADER_BYTES:  # an empty fragment and no more (rt#115)
                del unit[start:]
                return
            if not self._has_slice:
                self._has_slice = True
                self._unjudged -= 1
                if self._unjudged <= 0:
                    self._judge(bytes(unit[begin : begin + 8]))
            if role & SYNC:
                self._sync = True
        elif role & SEI:
            if self._is_recovery_point(bytes(unit[begin:])):
                self._sync = True
        elif role & FORBIDDEN:  # forbidden_zero_bit: somebody on the way knows that it is broken
            del unit[start:]
            self._break()
            return
        self._nal_count += 1
        if end > MAX_UNIT_BYTES or self._nal_count > MAX_UNIT_NAL_UNITS:
            self._break()
            return
        unit[start:begin] = (end - begin).to_bytes(4, "big")

    def _split(self, start: int) -> None:
        """Take apart what holds start codes: several NAL units in the place of one.

        Quirk 28: V380 and Amatek AR-N3222F send parameter sets and slice, start codes between
        them, as one NAL unit or fragmented as one; others put a start code in front.
        """
        self._sends_start_codes = True
        data = bytes(self.unit[start + 4 :])
        del self.unit[start:]
        if data.count(_START_CODE) > MAX_UNIT_NAL_UNITS:
            self._break()
            return
        for nal in split_annex_b(data):
            self._add(nal)

    # Where units begin and end.

    def _look_at_beginning(self, nal: bytes | memoryview) -> None:
        """See whether a NAL unit that comes after a mark or a loss begins a picture."""
        role = self.ROLES[nal[0]]
        first = not role & SLICE or self._is_first_slice(nal)
        if self._after_loss:
            self._after_loss = False
            self._broken = self._broken or not first
        if not self._marked:
            return
        if not first:
            # More of a picture that was marked as complete.
            self._marked, self._marker_trusted = False, False
            self._broken = self._broken or not self.unit
        elif role & (SLICE | LEADING):
            self._finish()  # a picture of its own, at the same time (rt#13)
            self._marked = False

    def _mark(self) -> None:
        """Take the marker as the end of the unit, if it can be and is trusted."""
        if self._fragment >= 0:
            self.fragment_header = b""  # `push` must see the next one
            return
        if not self._has_slice:
            return
        self._marked = True
        if self._marker_trusted:
            self._finish()

    def _turn(self, timestamp: int | None) -> None:
        """End the unit because the timestamp has changed."""
        if self._fragment >= 0:
            if self._last_marked:  # the end bit alone was left out
                self._end_fragment()
                self._marked = True
            else:
                self._break()
        if self._marked and self._marker_trusted is None:
            self._marker_trusted = True
        if self.unit or self._broken:
            self._finish()
        self.timestamp = timestamp
        self._marked = False

    def _lose(self, lost: int, timestamp: int) -> None:
        """Throw away what a loss directly before this packet makes incomplete."""
        if timestamp != self.timestamp:
            if self.unit and not (self._marked and self._marker_trusted is not False):
                self._break()
            self._turn(timestamp)
        elif self.unit or not self._marked:
            self._break()
        self._lost += lost
        self._after_loss = True

    def _break(self) -> None:
        """Give the open unit up. What follows of it is followed for its parameter sets only."""
        if self._fragment >= 0:
            del self.unit[self._fragment :]
        self._fragment, self.fragment_header = -1, b""
        self._broken = True
        if len(self.unit) > MAX_UNIT_BYTES or self._nal_count > MAX_UNIT_NAL_UNITS:
            self.unit.clear()
            self._nal_count = 0

    def _finish(self) -> None:
        """Hand the open unit out, or throw it away, and begin another."""
        if not self._has_slice and not self._broken:
            return  # no picture: it goes ahead of the next one
        format_ = self._sets.format
        if self._broken or format_ is None:
            self.discarded_units += 1
            self._damaged = True
        elif self.timestamp is not None:
            self._frames.append(
                Frame(self.timestamp, self.unit, self._sync, format_, self._lost, self._damaged)
            )
            self._lost, self._damaged = 0, False
        self.unit = bytearray()
        self._nal_count = 0
        self._has_slice = self._sync = self._broken = False

    def _judge(self, nal: bytes) -> None:
        """Count whether slices look like slices.

        Only the pictures of the first window are all looked at, then one in `JUDGED_EVERY`.

        Quirk 34: with its stream encryption on, a Hikvision sends good RTP and NAL unit headers,
        and noise behind them. Of noise half looks like a slice header, of slices all do.
        """
        self._pictures += 1
        if not self._is_plausible(nal):
            self._implausible += 1
        self._unjudged = self._pace
        if self._pictures == ENCRYPTION_WINDOW:
            self._pace = JUDGED_EVERY
            self.suspected_encrypted = 4 * self._implausible > ENCRYPTION_WINDOW
            self._pictures = self._implausible = 0


def too_short(what: str, source: str) -> WireError:
    """Make the error for a payload that ends within its header."""
    return WireError(f"{what} is cut off", offset=0, source=source)
