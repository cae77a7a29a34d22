"""One track of a camera's stream: from its packets to its units, not yet in time.

::

    packet ─► RtpReceiver ─► Depacketizer ─► frames     (UDP: ReorderBuffer before it)
    report ─► Timeline                       their time
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from axis_nvr.errors import WireError
from axis_nvr.media.units import AccessUnit, Gap, GapReason, UnitSink, VideoFormat
from axis_nvr.session.depacketizers import Frame, depacketizer_for
from axis_nvr.session.depacketizers.nal_units import NalUnitDepacketizer
from axis_nvr.session.pictures import Pictures
from axis_nvr.session.reorder import ReorderBuffer
from axis_nvr.session.rtp_receiver import RtpReceiver
from axis_nvr.session.session_clock import SessionClock
from axis_nvr.session.timeline import Timeline
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.wire.ntp import utc_us_from_ntp
from axis_nvr.wire.rtcp import (
    ReceiverReport,
    SenderReport,
    build_receiver_report,
    build_source_description,
)
from axis_nvr.wire.rtp import Buffer, parse_extension, parse_packet
from axis_nvr.wire.rtp_extensions import parse_replay

#: The time in RTP header extensions is looked at once in so many seconds.
EXTENSION_INTERVAL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TrackStatistics:
    """What came of a track since the start.

    :param packets: that were received.
    :param octets: of payload, in them.
    :param lost: packets that never came.
    :param reordered: packets that came late; most were put in their place.
    :param duplicates: packets that came again.
    :param foreign: packets of other sources or payload types.
    :param malformed: packets and reports that could not be read.
    :param jitter_ms: interarrival jitter, in milliseconds.
    :param frames: pictures, audio frames and documents handed on.
    :param discarded_units: that were thrown away for what they lacked.
    :param suspected_encrypted: packets are in order, and what they carry cannot be decoded.
    :param last_unit: when the last frame came, in seconds of the clock that `now` is of; None
        before the first.
    :param reports: sender reports, and header extensions that told the time.
    :param drift_ppm: how much slower than declared the media clock runs.
    :param timestamp_jumps: frames whose timestamp leapt.
    """

    packets: int
    octets: int
    lost: int
    reordered: int
    duplicates: int
    foreign: int
    malformed: int
    jitter_ms: float
    frames: int
    discarded_units: int
    suspected_encrypted: bool
    last_unit: float | None
    reports: int
    drift_ppm: float
    timestamp_jumps: int


class MediaTrack:
    """Takes the packets of one track.

    :param description: as the camera announced it.
    :param clock: shared by the tracks of the session.
    :param take_frame: takes each frame, with this track.
    :param deliver: takes the units of the fast path.
    :raises RemoteProtocolError: nothing understands this track.

    :ivar reports: sender reports and the like that were taken.
    :ivar malformed: packets and reports that could not be read.
    """

    def __init__(
        self,
        description: TrackDescription,
        clock: SessionClock,
        take_frame: Callable[["MediaTrack", Frame], None],
        deliver: UnitSink,
    ) -> None:
        self.description = description
        self.depacketizer = depacketizer_for(description)
        self.receiver = RtpReceiver(description.clock_rate)
        self.reorder = ReorderBuffer()
        self.timeline = Timeline(description.clock_rate, clock)
        self.reports = self.malformed = 0
        self._take_frame = take_frame
        self._deliver = deliver
        self._payload_type = description.payload_type
        self._foreign_payloads = 0
        self._lost_before = 0  # lost before packets that were not pushed
        self._in_step = False  # the last packet accepted was pushed
        self._restarted = False
        self._early_report: SenderReport | None = None
        self._next_extension = 0.0
        self._frames = 0
        self._last_unit: float | None = None
        self._last_utc_us: int | None = None
        self._now_us = 0  # of the read that is being taken
        self._pictures: Pictures | None = None
        if isinstance(self.depacketizer, NalUnitDepacketizer) and self._payload_type >= 0:
            self._pictures = Pictures(
                self._payload_type,
                self.receiver,
                self.depacketizer,
                self._take_pictures,
                self._complete,
            )

    # Packets.

    def receive_packet(self, data: Buffer, now: float, now_us: int) -> None:
        """Take one RTP packet, in order.

        :param data: the packet; nothing of it is kept.
        """
        try:
            packet = parse_packet(data)
        except WireError:
            self.malformed += 1
            return
        arrival = self.receiver.accept(packet, now)
        if arrival is None:
            return
        lost = arrival.lost
        if arrival.restarted:
            self._restarted = True
        if packet.payload_type != self._payload_type and self._payload_type >= 0:
            # Quirk 27: Geovision sends payload type 50 beside 96.
            self._foreign_payloads += 1
            self._lost_before += lost
            self._in_step = False
            return
        self._in_step = True
        if self._lost_before:
            lost, self._lost_before = lost + self._lost_before, 0
        if self._early_report is not None:
            self._take_early_report(now, now_us)
        if data[0] & 0x10 and now >= self._next_extension:
            self._take_extension(data, packet.timestamp, now, now_us)
        try:
            frames = self.depacketizer.push(packet.payload, arrival.timestamp, packet.marker, lost)
        except WireError:
            self.malformed += 1
            self.depacketizer.damage()
            return
        if frames:
            self._hand_on(frames, now)

    def _hand_on(self, frames: Sequence[Frame], now: float) -> None:
        """Count frames and let them go."""
        for frame in frames:
            self._last_unit = now
            self._frames += 1
            self._take_frame(self, frame)

    def receive_datagram(self, data: bytes, now: float, now_us: int) -> None:
        """Take an RTP packet that may have overtaken others."""
        if len(data) < 12:
            self.malformed += 1
            return
        for packet in self.reorder.push(data, data[2] << 8 | data[3], now):
            self.receive_packet(packet, now, now_us)

    def give_up_holes(self, now: float, now_us: int) -> None:
        """Wait no longer for packets that were waited for long enough."""
        for packet in self.reorder.flush(now):
            self.receive_packet(packet, now, now_us)

    def finish(self, now: float, now_us: int) -> None:
        """End the stream: hand on what is whole."""
        if self._pictures is not None:
            self._pictures.disarm()
        for packet in self.reorder.drain():
            self.receive_packet(packet, now, now_us)
        for frame in self.depacketizer.flush():
            self._frames += 1
            self._take_frame(self, frame)

    # The fast path.

    def run(self, channel: int, is_held: bool) -> Pictures | None:
        """Tell what may take the packets that come now; asked after each that came otherwise.

        :param channel: on which this track's packets come.
        :param is_held: frames are held back.
        :returns: None if each packet is to be received on its own.
        """
        pictures = self._pictures
        if pictures is None or not self._in_step or not pictures.arm(channel, not is_held):
            return None
        return pictures

    def begin_read(self, now: float, now_us: int) -> None:
        """Tell the time to what `run` has returned."""
        assert self._pictures is not None
        self._pictures.now, self._now_us = now, now_us

    def _take_pictures(
        self,
        timestamps: Sequence[int],
        pictures: Sequence[bytes],
        sync: bool,
        format_: VideoFormat,
    ) -> None:
        """Hand on pictures before and between which nothing was lost: the fast path of `unit`."""
        assert self._pictures is not None
        now, timeline, index = self._pictures.now, self.timeline, self.description.index
        times = timeline.straight_times(timestamps, now)
        units = [
            AccessUnit(index, utc_us, timestamp, sync, data, format_)
            for utc_us, timestamp, data in zip(times, timestamps, pictures, strict=False)
        ]
        for at in range(len(times), len(timestamps)):
            timestamp, data = timestamps[at], pictures[at]
            utc_us = timeline.utc_us(timestamp, now, self._now_us)
            gap = timeline.take_gap()
            units.append(AccessUnit(index, utc_us, timestamp, sync, data, format_, gap))
        self._frames += len(units)
        self._last_unit, self._last_utc_us = now, units[-1].utc_us
        self._deliver(units)

    def _complete(self, marker: bool) -> None:
        """Complete a fragmented NAL unit, the last packet of which was taken in bulk."""
        assert self._pictures is not None
        assert isinstance(self.depacketizer, NalUnitDepacketizer)
        self._hand_on(self.depacketizer.complete(marker), self._pictures.now)

    # Time.

    def receive_report(self, report: SenderReport, now: float, now_us: int) -> bool:
        """Take a sender report.

        :returns: whether it is about this track: a report of a source that sends nothing here
            (Tapo) says nothing about its time (quirk 23).
        """
        if self.receiver.ssrc is None:
            self._early_report = report
        elif report.ssrc == self.receiver.ssrc:
            self._take_report(report, now, now_us)
        else:
            return False
        return True

    def _take_early_report(self, now: float, now_us: int) -> None:
        """Take the report that came before the first packet, if its source is that of it."""
        report, self._early_report = self._early_report, None
        if report is not None and report.ssrc == self.receiver.ssrc:
            self._take_report(report, now, now_us)

    def _take_report(self, report: SenderReport, now: float, now_us: int) -> None:
        self.receiver.sender_reported(report.ntp_64, now)
        ntp_us = utc_us_from_ntp(report.ntp_64)
        self.timeline.sender_report(report.rtp_timestamp, ntp_us, now, now_us)
        self.reports += 1

    def _take_extension(self, data: Buffer, timestamp: int, now: float, now_us: int) -> None:
        """Take the time of an ONVIF replay extension (Axis with ``onvifreplayext=1``)."""
        try:
            replay = parse_replay(parse_extension(data))
        except WireError:
            self.malformed += 1
            return
        if replay is not None:
            self._next_extension = now + EXTENSION_INTERVAL_SECONDS
            self.timeline.sender_report(timestamp, utc_us_from_ntp(replay.ntp_64), now, now_us)
            self.reports += 1

    def unit(self, frame: Frame, now: float, now_us: int) -> AccessUnit:
        """Give a frame its time; frames in the order they came.

        :param now: when it came.
        :param now_us: the same moment in UTC.
        """
        utc_us = self.timeline.utc_us(frame.timestamp, now, now_us)
        gap = self.timeline.take_gap()
        if frame.lost or frame.damaged:
            gap = self._gap(frame, utc_us, gap)
        self._last_utc_us = utc_us
        return AccessUnit(
            self.description.index,
            utc_us,
            frame.timestamp,
            frame.sync,
            frame.data,
            frame.format,
            gap,
        )

    def _gap(self, frame: Frame, utc_us: int, bend: Gap | None) -> Gap | None:
        """Make the gap before a frame that follows a loss.

        :param bend: what has happened to time there, if anything: goes into the detail.
        :returns: None before the first unit, since nothing was there to be missed.
        """
        if self._last_utc_us is None:
            return bend
        if self._restarted:
            reason, self._restarted = GapReason.SOURCE_CHANGED, False
        else:
            reason = GapReason.PACKETS_LOST if frame.lost else GapReason.DAMAGED
        start_us, end_us = sorted((self._last_utc_us, utc_us))
        return Gap(start_us, end_us, reason, frame.lost, bend.detail if bend else "")

    # Reports.

    def receiver_report(self, ssrc: int, cname: str, now: float) -> bytes:
        """Build our report about this track: a compound packet with our name."""
        block = self.receiver.report_block(now)
        report = ReceiverReport(ssrc, () if block is None else (block,))
        return build_receiver_report(report) + build_source_description(ssrc, cname)

    @property
    def statistics(self) -> TrackStatistics:
        """What came so far."""
        received = self.receiver.statistics
        return TrackStatistics(
            packets=received.received,
            octets=received.octets,
            lost=received.lost,
            reordered=received.reordered + self.reorder.reordered + self.reorder.late,
            duplicates=received.duplicates + self.reorder.duplicates,
            foreign=received.foreign + self._foreign_payloads,
            malformed=self.malformed,
            jitter_ms=1000 * received.jitter_ticks / self.description.clock_rate,
            frames=self._frames,
            discarded_units=self.depacketizer.discarded_units,
            suspected_encrypted=self.depacketizer.suspected_encrypted,
            last_unit=self._last_unit,
            reports=self.reports,
            drift_ppm=self.timeline.drift_ppm,
            timestamp_jumps=self.timeline.timestamp_jumps,
        )
