"""The receiving side of one RTP source: order, loss, jitter and the report about them.

Packets come in the order they are to be used: from TCP as they arrive, from UDP through
`axis_nvr.session.reorder`. What RFC 3550 §A.1 asks of a stranger (two packets in sequence before
it counts) is not asked of a camera whose session we have set up: the first packet starts the
stream, whatever ``RTP-Info`` promised (Hikvision and Tapo promise 0), and a jump is followed at
once, since each packet thrown away costs pictures up to the next key frame.

All payload types pass through here, foreign ones too, because they share the sequence: who takes
the packets apart compares the payload type.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from axis_nvr.session.sequence import TimestampUnwrapper, sequence_difference
from axis_nvr.wire.rtcp import ReportBlock
from axis_nvr.wire.rtp import RtpPacket

#: A step ahead of as many packets or more is a restart of the sequence, not loss (RFC 3550 §A.1).
MAX_DROPOUT_PACKETS = 3_000

#: As far behind a packet is late or double; farther behind, the sequence has restarted (§A.1).
MAX_MISORDER_PACKETS = 100

#: A source that was left may come back when its successor has been silent for this long, seconds.
SOURCE_TIMEOUT_SECONDS = 2.0

#: Packets in a row from a new source after which the old one is taken for gone (§A.1).
MIN_SEQUENTIAL_PACKETS = 2

#: Left sources that are remembered.
MAX_FORMER_SOURCES = 8

#: After a pause of this long the turns of the timestamp are counted by the clock, seconds. A turn
#: takes 13 h 15 min at 90 kHz; events on a metadata track can be farther apart than half of it.
LONG_PAUSE_SECONDS = 3_600.0


#: A larger change of the transit time is a jump of the timestamp and no jitter, seconds.
MAX_JITTER_SECONDS = 10.0


class Arrival(NamedTuple):
    """A packet that is to be used now.

    :ivar timestamp: the RTP timestamp, unwrapped: it goes on past 2³² and never wraps.
    :ivar lost: packets missing directly before it; at least 1 where the sequence restarted.
    :ivar restarted: it is the first of another source, or of a sequence that began anew: what
        came before does not continue here.
    """

    timestamp: int
    lost: int
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class ReceptionStatistics:
    """What came of a track, since its start.

    :param received: packets, those that came late included, doubles not.
    :param lost: packets expected and not received.
    :param reordered: packets that came after their turn, too late to be used.
    :param duplicates: packets that came again.
    :param foreign: packets of a source that was not listened to.
    :param source_changes: how often another source took over.
    :param restarts: how often the sequence numbers of a source began anew.
    :param octets: of payload.
    :param jitter_ticks: interarrival jitter (RFC 3550 §A.8), in ticks of the media clock.
    """

    received: int
    lost: int
    reordered: int
    duplicates: int
    foreign: int
    source_changes: int
    restarts: int
    octets: int
    jitter_ticks: float


class RtpReceiver:
    """Follows one track.

    Who takes packets in bulk reads `expected_sequence_number` and `ssrc`, compares them and the
    timestamp itself, and tells the count by `advance`.

    :param clock_rate: of the RTP timestamp, in Hz.
    :ivar expected_sequence_number: of the next packet; None before the first.
    :ivar ssrc: of the source listened to; None before the first packet.
    :ivar timestamp: of the packet last accepted, as it came; -1 before the first.

    Source: RFC 3550 §6.4.1, §A.1, §A.3, §A.8.
    """

    __slots__ = (
        "_clock_rate",
        "_duplicates",
        "_expected",
        "_expected_at_report",
        "_extended",
        "_foreign",
        "_former",
        "_heard_from",
        "_jitter",
        "_last_heard",
        "_missing",
        "_octets",
        "_received",
        "_received_at_report",
        "_reordered",
        "_report_ntp",
        "_report_time",
        "_restarts",
        "_source_changes",
        "_transit",
        "_unwrapper",
        "expected_sequence_number",
        "ssrc",
        "timestamp",
    )

    def __init__(self, clock_rate: int) -> None:
        self.expected_sequence_number: int | None = None
        self.ssrc: int | None = None
        self.timestamp = -1
        self._clock_rate = clock_rate
        self._unwrapper = TimestampUnwrapper()
        self._extended = 0  # sequence number of the last packet, with its turns
        self._missing: set[int] = set()  # extended; among the last MAX_MISORDER_PACKETS
        self._former: dict[int, None] = {}  # sources left, the latest last
        self._heard_from = 0  # packets of this source
        self._last_heard = 0.0
        self._expected = self._expected_at_report = 0
        self._received = self._received_at_report = 0
        self._reordered = self._duplicates = self._foreign = self._octets = 0
        self._restarts = self._source_changes = 0
        self._jitter = 0.0
        self._transit: float | None = None
        self._report_ntp = 0
        self._report_time = 0.0

    def accept(self, packet: RtpPacket, now: float) -> Arrival | None:
        """Take one packet.

        :param now: when it came, in seconds of a clock that does not jump.
        :returns: None if it is not to be used: late, double, or of a foreign source.
        """
        _, _, sequence_number, timestamp, ssrc, payload = packet
        lost, restarted = 0, False
        if ssrc != self.ssrc:
            if not self._changes_to(ssrc, now):
                self._foreign += 1
                return None
            lost = self._begin(sequence_number)
            restarted = lost > 0
        elif sequence_number != self.expected_sequence_number:
            lost = sequence_difference(sequence_number, (self._extended + 1) & 0xFFFF)
            if -MAX_MISORDER_PACKETS <= lost < 0:
                self._count_late(self._extended + 1 + lost)
                return None
            if 0 < lost < MAX_DROPOUT_PACKETS:
                self._miss(lost)
            else:  # Tapo and others begin their sequence anew when the encoder restarts
                self._restarts += 1
                lost, restarted = self._begin(sequence_number), True
        self._extended += lost + 1
        self.expected_sequence_number = (sequence_number + 1) & 0xFFFF
        self._expected += lost + 1
        self._received += 1
        self._heard_from += 1
        self._octets += len(payload)
        if timestamp != self.timestamp:
            self.begin_timestamp(timestamp, now)
        self._last_heard = now
        assert self._unwrapper.last is not None
        return Arrival(self._unwrapper.last, lost, restarted)

    def advance(self, count: int, octets: int, now: float) -> None:
        """Account for packets that were taken in bulk.

        All of them followed each other without a hole, the first at `expected_sequence_number`,
        from `ssrc` and with `timestamp`. So there is nothing new for the jitter in them: it is
        taken from the first packet of each timestamp only, see `begin_timestamp`.

        :param count: how many packets.
        :param octets: of payload, together.
        :param now: as for `accept`.
        """
        self._extended += count
        self.expected_sequence_number = (self._extended + 1) & 0xFFFF
        self._last_heard = now
        self._expected += count
        self._received += count
        self._heard_from += count
        self._octets += octets

    def sender_reported(self, ntp_64: int, now: float) -> None:
        """Take note of a sender report, whose time goes back with our next report."""
        self._report_ntp, self._report_time = ntp_64 >> 16 & 0xFFFF_FFFF, now

    @property
    def statistics(self) -> ReceptionStatistics:
        """What came since the start."""
        return ReceptionStatistics(
            received=self._received,
            lost=max(0, self._expected - self._received),
            reordered=self._reordered,
            duplicates=self._duplicates,
            foreign=self._foreign,
            source_changes=self._source_changes,
            restarts=self._restarts,
            octets=self._octets,
            jitter_ticks=self._jitter,
        )

    def report_block(self, now: float) -> ReportBlock | None:
        """Make the reception report about this source, and begin the next interval.

        :returns: None before the first packet: there is no source to report on.

        Source: RFC 3550 §6.4.1, §A.3.
        """
        if self.ssrc is None:
            return None
        expected = self._expected - self._expected_at_report
        lost = expected - (self._received - self._received_at_report)
        self._expected_at_report, self._received_at_report = self._expected, self._received
        delay = round((now - self._report_time) * 65536) if self._report_ntp else 0
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(255, (lost << 8) // expected) if expected > 0 and lost > 0 else 0,
            cumulative_lost=max(-0x80_0000, min(0x7F_FFFF, self._expected - self._received)),
            extended_highest_sequence_number=self._extended & 0xFFFF_FFFF,
            jitter=min(round(self._jitter), 0xFFFF_FFFF),
            last_sender_report=self._report_ntp,
            delay_since_last_sender_report=max(0, min(delay, 0xFFFF_FFFF)),
        )

    def _changes_to(self, ssrc: int, now: float) -> bool:
        """Decide whether to listen to another source from now on.

        The SSRC told in SETUP is often not the one sent (Hikvision, Dahua), and some cameras
        change it while they play: a new source is followed at once. Where two send side by side,
        the one that is left may return only if its successor sent next to nothing, or is silent,
        so that we do not hop between them.
        """
        returns = ssrc in self._former
        if self.ssrc is not None:
            established = self._heard_from >= MIN_SEQUENTIAL_PACKETS
            silent = now - self._last_heard >= SOURCE_TIMEOUT_SECONDS
            if returns and established and not silent:
                return False
            self._former.pop(ssrc, None)
            self._former[self.ssrc] = None
            if len(self._former) > MAX_FORMER_SOURCES:
                del self._former[next(iter(self._former))]
            self._source_changes += 1
        self.ssrc = ssrc
        self._heard_from = MIN_SEQUENTIAL_PACKETS if returns else 0
        return True

    def _begin(self, sequence_number: int) -> int:
        """Prepare for a sequence that begins with this number.

        :returns: packets to count as lost before it: of how many are missing nothing is known but
            that a picture begun before cannot go on.
        """
        self._missing.clear()
        self._transit = None
        if not self._expected:
            self._extended = sequence_number - 1
            return 0
        self._extended = (((self._extended >> 16) + 1) << 16 | sequence_number) - 2
        return 1

    def _miss(self, lost: int) -> None:
        """Remember the numbers of missing packets, to tell late ones from doubles."""
        end = self._extended + lost + 1
        oldest = end - MAX_MISORDER_PACKETS
        self._missing = {number for number in self._missing if number >= oldest}
        self._missing.update(range(max(self._extended + 1, oldest), end))

    def _count_late(self, extended: int) -> None:
        if extended in self._missing:
            self._missing.remove(extended)
            self._reordered += 1
            self._received += 1
        else:
            self._duplicates += 1

    def begin_timestamp(self, timestamp: int, now: float) -> int:
        """Unwrap a new timestamp and take the jitter from its first packet.

        :returns: the timestamp, unwrapped.
        """
        return self.begin_timestamps((timestamp,), now)[0]

    def begin_timestamps(self, timestamps: Sequence[int], now: float) -> list[int]:
        """Unwrap new timestamps, each other than the one before, and take the jitter.

        :param now: when the first packet of each came.
        :returns: the timestamps, unwrapped.

        Source: RFC 3550 §A.8.
        """
        last, pause = self._unwrapper.last, now - self._last_heard
        if last is not None and pause > LONG_PAUSE_SECONDS:
            expected = last + round(pause * self._clock_rate)
            self._unwrapper.unwrap_near(timestamps[0], expected)
        unwrapped = list(map(self._unwrapper.unwrap, timestamps))
        arrival, limit = now * self._clock_rate, MAX_JITTER_SECONDS * self._clock_rate
        before, jitter = self._transit, self._jitter
        for timestamp in unwrapped:
            transit = arrival - timestamp
            if before is not None and (difference := abs(transit - before)) < limit:
                jitter += (difference - jitter) / 16
            before = transit
        self._transit, self._jitter = before, jitter
        self.timestamp, self._last_heard = timestamps[-1], now
        return unwrapped
