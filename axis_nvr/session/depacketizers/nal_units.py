"""From RTP to access units of NAL units: what H.264 (RFC 6184) and H.265 (RFC 7798) share.

How a unit grows. ``unit`` is the open access unit as it will be stored, each NAL unit behind four
bytes of length, in pieces that are joined once, at the end: a picture that grows in place is
copied again and again. A fragmented NAL unit waits beside it, in pieces too, until its last
fragment has come. Fragments may be appended by whoever has checked that they are such
(`axis_nvr.session.pictures`): ``fragment_header`` is what they must begin with.

::

    unit        length, SEI, length, slice, …
    fragments   NAL unit header, content, content, …

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
from typing import ClassVar, NamedTuple

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

#: The two bits on top of a fragment header, the same in both RFCs (§5.8, §4.4.3).
START_BIT, END_BIT = 0x80, 0x40

#: Bytes of length in front of each NAL unit in a unit.
LENGTH_BYTES = 4
_START_CODE = b"\0\0\1"


class Beginning(NamedTuple):
    """What the first bytes of a payload say of the NAL unit that begins there.

    :ivar is_slice: a slice does; else nothing more is told.
    :ivar sync: decoding can begin at it.
    :ivar nal_header: its header, if it is fragmented; empty if it is whole.
    :ivar middle: what the payload of each further fragment begins with.
    :ivar last: what that of the last fragment begins with.
    """

    is_slice: bool
    sync: bool = False
    nal_header: bytes = b""
    middle: bytes = b""
    last: bytes = b""


class NalUnitDepacketizer(ABC):
    """The part that is the same for both codecs.

    :param parameter_sets: what is known from the SDP; what comes in band is added to it.
    :ivar unit: the open access unit, in pieces.
    :ivar unit_bytes: how much it is.
    :ivar fragments: the open fragmented NAL unit, in pieces; empty if none is open.
    :ivar fragment_bytes: how much it is.
    :ivar is_marked: the marker has come for the unit of this timestamp.
    :ivar last_marked: the marker was set in the last packet; kept while `fragments` are open.
    :ivar timestamp: of the open access unit; None before the first.
    :ivar fragment_header: what a payload that continues the open fragmented NAL unit begins with;
        empty if none is open or what is open has been given up.
    """

    #: What the first byte of a NAL unit tells of its role, for each of the 256.
    ROLES: ClassVar[bytes]
    #: Size of a NAL unit header, in bytes.
    HEADER_BYTES: ClassVar[int]
    #: Size of what a fragment begins with, in bytes.
    FRAGMENT_HEADER_BYTES: ClassVar[int]
    CODEC: ClassVar[Codec]

    def __init__(self, parameter_sets: Sequence[bytes] = ()) -> None:
        self.unit: list[bytes] = []
        self.unit_bytes = 0
        self.fragments: list[bytes] = []
        self.fragment_bytes = 0
        self.fragment_header = b""
        self.discarded_units = 0
        self.suspected_encrypted = False
        self._sets = ParameterSets(self.CODEC)
        self._frames: list[Frame] = []
        self.timestamp: int | None = None
        self._nal_count = 0
        self._has_slice = self._sync = self._broken = False
        self._lost, self._damaged = 0, False  # for the next frame
        self._after_loss = False  # does the next NAL unit begin its picture?
        self.is_marked = False  # the marker has come; is the unit complete?
        self._marker_trusted: bool | None = None  # None: not known yet
        self.last_marked = False
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
        self.last_marked = marker
        if not self._frames:
            return NO_FRAMES
        frames, self._frames = self._frames, []
        return frames

    # For who takes packets in bulk: `axis_nvr.session.pictures`.

    @property
    def is_steady(self) -> bool:
        """Whether units leave at their mark and nothing stands out, so that slices just go on."""
        return (
            self._marker_trusted is True
            and not self._broken
            and not self._after_loss
            and not self._start_code_trial
            and not self._sends_start_codes
            and (not self.fragments or bool(self.fragment_header))
        )

    def beginning(self, header: bytes) -> Beginning:
        """Tell what begins in a payload.

        :param header: its first bytes, as many as a fragment begins with.
        """
        nal_header = self._fragmented(header)
        role = self.ROLES[(nal_header or header)[0]]
        if not role & SLICE:
            return Beginning(False)
        middle = header[:-1] + bytes((header[-1] & ~START_BIT,))
        last = header[:-1] + bytes((header[-1] & ~START_BIT | END_BIT,))
        return Beginning(True, bool(role & SYNC), nal_header, middle, last)

    def take_picture(self) -> bytes | None:
        """Give out the open fragmented NAL unit, of which all has come with a marker.

        :returns: a unit of its own; None if `complete` must be called: see `accept_pictures`.
        """
        size = self.fragment_bytes
        data = b"".join((size.to_bytes(LENGTH_BYTES, "big"), *self.fragments))
        if not self.accept_pictures((data,)):
            return None
        self._give_fragments_up()
        return data

    def accept_pictures(self, pictures: Sequence[bytes]) -> int:
        """Take note of slices that came whole, steady and marked, each a unit of its own.

        It is the fast path of `complete` with a marker.

        :param pictures: as they will be stored.
        :returns: how many of them. For the next one the general way must be gone, for it may be odd
            in some way.
        """
        if self.unit or self._lost or self._damaged:
            return 0
        for count, data in enumerate(pictures):
            if (
                data.find(_START_CODE, LENGTH_BYTES, LENGTH_BYTES + START_CODE_SEARCH_BYTES) >= 0
                or len(data) > MAX_UNIT_BYTES
            ):
                return count
            self._unjudged -= 1
            if self._unjudged <= 0:
                self._judge(data[LENGTH_BYTES : LENGTH_BYTES + 8])
            self.is_marked = True
        return len(pictures)

    def complete(self, marker: bool) -> Sequence[Frame]:
        """Take note that the last fragment has been appended to `fragments`.

        :returns: as `push` does of it.
        """
        self._end_fragment()
        if marker:
            self._mark()
        frames, self._frames = self._frames, []
        return frames

    def damage(self) -> None:
        """Give the open unit up: a packet of it could not be used."""
        self._break()

    def flush(self) -> Sequence[Frame]:
        """Return the open unit if it may be whole: a trusted marker has not come for it yet."""
        if self._marker_trusted and not self.is_marked:
            self._broken = self._broken or bool(self.unit)
        self._turn(None)
        self._clear()
        frames, self._frames = self._frames, []
        return frames

    @abstractmethod
    def _take(self, payload: memoryview) -> None:
        """Take one payload of the codec apart and call `_add`, `_begin_fragment` and so on."""

    @abstractmethod
    def _fragmented(self, header: bytes) -> bytes:
        """Give the header of the NAL unit whose first fragment, not the last, begins like this.

        :returns: empty if it is no such fragment.
        """

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

    def _add(self, nal: bytes) -> None:
        """Append a whole NAL unit."""
        if self.is_marked or self._after_loss:
            self._look_at_beginning(nal)
        self._close(nal)

    def _begin_fragment(self, header: bytes, content: memoryview) -> None:
        """Open a fragmented NAL unit with its header and its first fragment."""
        if self.fragments:  # the end bit of the one before never came, its bytes have
            self._end_fragment()
        if self.is_marked or self._after_loss:
            self._look_at_beginning(header + content[:1])
        self.fragments += header, bytes(content)
        self.fragment_bytes = len(header) + len(content)

    def _continue_fragment(self, content: memoryview) -> None:
        """Append a further fragment, the header that repeats in each excluded."""
        if not self.fragments:  # its beginning is missing
            self._break()
            return
        self.fragments.append(bytes(content))
        self.fragment_bytes += len(content)
        if self.unit_bytes + self.fragment_bytes > MAX_UNIT_BYTES:
            self._break()

    def _end_fragment(self) -> None:
        """Complete the fragmented NAL unit."""
        if self.fragments:
            nal = b"".join(self.fragments)
            self._give_fragments_up()
            self._close(nal)

    def _give_fragments_up(self) -> None:
        self.fragments.clear()
        self.fragment_bytes, self.fragment_header = 0, b""

    def _close(self, nal: bytes) -> None:
        """Look at a NAL unit that is whole: append it or not."""
        searched = size = len(nal)
        if self._start_code_trial:
            self._start_code_trial -= 1
        elif not self._sends_start_codes:
            searched = START_CODE_SEARCH_BYTES
        if nal.find(_START_CODE, 0, searched) >= 0:
            self._split(nal)
            return
        role = self.ROLES[nal[0]]
        if role & PARAMETER_SET:
            self._sets.learn(self._plain(nal))
            return
        if role & SLICE:
            if size <= self.HEADER_BYTES:  # an empty fragment and no more (rt#115)
                return
            if not self._has_slice:
                self._has_slice = True
                self._unjudged -= 1
                if self._unjudged <= 0:
                    self._judge(nal[:8])
            if role & SYNC:
                self._sync = True
        elif role & SEI:
            if self._is_recovery_point(nal):
                self._sync = True
        elif role & FORBIDDEN:  # forbidden_zero_bit: somebody on the way knows that it is broken
            self._break()
            return
        self._nal_count += 1
        self.unit += size.to_bytes(LENGTH_BYTES, "big"), nal
        self.unit_bytes += LENGTH_BYTES + size
        if self.unit_bytes > MAX_UNIT_BYTES or self._nal_count > MAX_UNIT_NAL_UNITS:
            self._break()

    def _split(self, data: bytes) -> None:
        """Take apart what holds start codes: several NAL units in the place of one.

        Quirk 28: V380 and Amatek AR-N3222F send parameter sets and slice, start codes between
        them, as one NAL unit or fragmented as one; others put a start code in front.
        """
        self._sends_start_codes = True
        if data.count(_START_CODE) > MAX_UNIT_NAL_UNITS:
            self._break()
            return
        for nal in split_annex_b(data):
            self._add(bytes(nal))

    # Where units begin and end.

    def _look_at_beginning(self, nal: bytes) -> None:
        """See whether a NAL unit that comes after a mark or a loss begins a picture."""
        role = self.ROLES[nal[0]]
        first = not role & SLICE or self._is_first_slice(nal)
        if self._after_loss:
            self._after_loss = False
            self._broken = self._broken or not first
        if not self.is_marked:
            return
        if not first:
            # More of a picture that was marked as complete.
            self.is_marked, self._marker_trusted = False, False
            self._broken = self._broken or not self.unit
        elif role & (SLICE | LEADING):
            self._finish()  # a picture of its own, at the same time (rt#13)
            self.is_marked = False

    def _mark(self) -> None:
        """Take the marker as the end of the unit, if it can be and is trusted."""
        if self.fragments:
            self.fragment_header = b""  # `push` must see the next one
            return
        if not self._has_slice:
            return
        self.is_marked = True
        if self._marker_trusted:
            self._finish()

    def _turn(self, timestamp: int | None) -> None:
        """End the unit because the timestamp has changed."""
        if self.fragments:
            if self.last_marked:  # the end bit alone was left out
                self._end_fragment()
                self.is_marked = True
            else:
                self._break()
        if self.is_marked and self._marker_trusted is None:
            self._marker_trusted = True
        if self.unit or self._broken:
            self._finish()
        self.timestamp = timestamp
        self.is_marked = False

    def _lose(self, lost: int, timestamp: int) -> None:
        """Throw away what a loss directly before this packet makes incomplete."""
        if timestamp != self.timestamp:
            if self.unit and not (self.is_marked and self._marker_trusted is not False):
                self._break()
            self._turn(timestamp)
        elif self.unit or not self.is_marked:
            self._break()
        self._lost += lost
        self._after_loss = True

    def _break(self) -> None:
        """Give the open unit up. What follows of it is followed for its parameter sets only."""
        self._give_fragments_up()
        self._broken = True
        if self.unit_bytes > MAX_UNIT_BYTES or self._nal_count > MAX_UNIT_NAL_UNITS:
            self._clear()

    def _clear(self) -> None:
        """Throw away what has come of the open unit."""
        self.unit.clear()
        self.unit_bytes = self._nal_count = 0

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
                Frame(
                    self.timestamp,
                    b"".join(self.unit),
                    self._sync,
                    format_,
                    self._lost,
                    self._damaged,
                )
            )
            self._lost, self._damaged = 0, False
        self._clear()
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
