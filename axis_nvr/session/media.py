"""The media of one session with a camera: bytes or datagrams in, units with their time out.

::

    TCP read ─► InterleavedReader ─┬─► messages, for the dialogue
                                   ├─► RTP ──► MediaTrack ─► frame ─┐ held until time is known
    datagrams ─────────────────────┴─► RTCP ─► MediaTrack           └─► AccessUnit ─► deliver

The time of a unit is known exactly once a sender report, or a header extension with the time, has
come for its track. So that the first pictures of a recording have it, what comes at the start is
held until each track that sends has had one, but no longer than `HOLD_SECONDS` and no more than
`HOLD_BYTES`; then all of it goes out in order, and from there on each unit leaves at once. A
session that brings documents alone holds nothing: they tell their own time, and it is urgent.

Reports (RTCP) advise and never decide: what cannot be read, or is about a source that is not
ours, is counted and passed over (quirk 23).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from axis_nvr.errors import WireError
from axis_nvr.media.units import Codec, UnitSink
from axis_nvr.session.depacketizers import Frame
from axis_nvr.session.interleaved import InterleavedReader, build_frame
from axis_nvr.session.media_track import MediaTrack, TrackStatistics
from axis_nvr.session.pictures import Pictures
from axis_nvr.session.session_clock import SessionClock
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.wire.rtcp import Bye, SenderReport, parse_compound
from axis_nvr.wire.rtp import Buffer
from axis_nvr.wire.rtsp import Message

#: Units are held back no longer than this for the first sender reports, in seconds. A sender's
#: first comes within 3.1 s: 0.5 to 1.5 times 2.5 s, divided by e - 3/2 (RFC 3550 §6.3.1).
HOLD_SECONDS = 3.2
#: Bytes of units that are held back.
HOLD_BYTES = 8 * 1024 * 1024
#: We report this often: some cameras stop after 5 s without (quirk 4), and the RFC's least is 5 s.
REPORT_INTERVAL_SECONDS = 4.0
#: Packet types of RTCP, as they show where the marker and payload type of RTP are (RFC 5761 §4).
RTCP_TYPES = range(200, 208)


@dataclass(frozen=True, slots=True)
class TrackEnded:
    """The camera has said that a track is over (RTCP BYE).

    :param track: its index.
    :param reason: in the camera's words; often empty.
    """

    track: int
    reason: str


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """What came apart from tracks.

    :param unassigned_frames: interleaved frames on channels that no SETUP assigned (quirk 7).
    :param skipped_bytes: of the connection that made no sense.
    :param ignored_reports: RTCP packets that could not be read, or of unknown sources.
    :param camera_clock_offset_us: how far the camera's clock is ahead of ours; None if unknown.
    :param camera_clock_believed: units bear the camera's own time.
    """

    unassigned_frames: int
    skipped_bytes: int
    ignored_reports: int
    camera_clock_offset_us: int | None
    camera_clock_believed: bool


class MediaReceiver:
    """Receives the tracks of one session.

    All times come in twice: `now` in seconds of a clock that does not jump, `now_us` as UTC in
    microseconds since 1970.

    :param tracks: those to receive.
    :param deliver: takes the units.
    :param cname: our name in reports, at most 255 bytes.
    :param ssrc: our source identifier in reports, 32 bits, chosen at random.
    :raises RemoteProtocolError: nothing understands a track.
    """

    def __init__(
        self,
        tracks: Iterable[TrackDescription],
        deliver: UnitSink,
        cname: str,
        ssrc: int,
    ) -> None:
        self.clock = SessionClock()
        self._tracks = {
            track.index: MediaTrack(track, self.clock, self._take_frame, deliver)
            for track in tracks
        }
        self._deliver = deliver
        self._cname = cname
        self._ssrc = ssrc
        self._reader = InterleavedReader(self._receive_frame)
        self._rtp_channels: dict[int, MediaTrack] = {}
        self._rtcp_channels: dict[int, MediaTrack] = {}
        self._running: MediaTrack | None = None  # whose packets are taken in bulk
        self._run: Pictures | None = None  # by this
        self._now, self._now_us = 0.0, 0
        documents_only = all(
            track.description.codec is Codec.ONVIF_METADATA for track in self._tracks.values()
        )
        self._held: list[tuple[MediaTrack, Frame, float, int]] | None = (
            None if self._tracks and documents_only else []
        )
        self._held_bytes = 0
        self._hold_end: float | None = None
        self._next_report: float | None = None
        self._events: list[TrackEnded] = []
        self._unassigned_frames = self._ignored_reports = 0

    def assign(
        self,
        track_index: int,
        rtp_channel: int | None = None,
        rtcp_channel: int | None = None,
        ssrc: int | None = None,
    ) -> None:
        """Tell how a track comes, as SETUP has settled it.

        :param rtp_channel: None where it comes in datagrams.
        :param rtcp_channel: None where it comes in datagrams, or in another track's channel.
        :param ssrc: what the server says it will send. It is not asked for: Hikvision and Dahua
            send another one (quirk 18).
        """
        track = self._tracks[track_index]
        if rtp_channel is not None:
            self._rtp_channels[rtp_channel] = track
        if rtcp_channel is not None:
            self._rtcp_channels[rtcp_channel] = track
        self._reader.channels = frozenset({*self._rtp_channels, *self._rtcp_channels})

    # What comes in.

    def receive(self, data: bytes, now: float, now_us: int) -> list[Message]:
        """Take what a TCP connection has brought, cut anywhere.

        :returns: the RTSP messages in it, in order; media is delivered meanwhile.
        """
        self._pass_time(now, now_us)
        if self._running is not None:
            self._running.begin_read(now, now_us)
        return self._reader.receive(data)

    def receive_rtp(self, track_index: int, data: bytes, now: float, now_us: int) -> None:
        """Take a datagram from the RTP port of a track."""
        self._pass_time(now, now_us)
        self._tracks[track_index].receive_datagram(data, now, now_us)
        if self._held is not None:
            self._release_if_due()

    def receive_rtcp(self, track_index: int, data: bytes, now: float, now_us: int) -> None:
        """Take a datagram from the RTCP port of a track."""
        self._pass_time(now, now_us)
        self._receive_reports(self._tracks[track_index], data)

    def _receive_frame(self, channel: int, packet: memoryview) -> Pictures | None:
        """Take an interleaved frame; see `InterleavedReader`."""
        track = self._rtp_channels.get(channel)
        if track is None or (len(packet) > 1 and packet[1] in RTCP_TYPES):
            self._receive_other(channel, packet)
        else:
            track.receive_packet(packet, self._now, self._now_us)
            if self._held is not None:
                self._release_if_due()
            run = track.run(channel, self._held is not None)
            if run is not None:
                self._running, self._run = track, run
                track.begin_read(self._now, self._now_us)
            elif self._running is track:
                self._running = self._run = None
        return self._run

    def _receive_other(self, channel: int, packet: memoryview) -> None:
        """Take a frame that is no RTP: reports come on a channel of their own or on that of RTP."""
        track = self._rtcp_channels.get(channel) or self._rtp_channels.get(channel)
        if track is None:
            self._unassigned_frames += 1
        else:
            self._receive_reports(track, packet)

    def _receive_reports(self, track: MediaTrack, data: Buffer) -> None:
        """Take a compound RTCP packet that came where those of `track` come."""
        try:
            packets = parse_compound(data)
        except WireError:
            self._ignored_reports += 1
            return
        for packet in packets:
            if isinstance(packet, SenderReport):
                if not any(
                    about.receive_report(packet, self._now, self._now_us)
                    for about in self._about(track, packet.ssrc)
                ):
                    self._ignored_reports += 1
            elif isinstance(packet, Bye):
                self._events += [
                    TrackEnded(ended.description.index, packet.reason)
                    for ssrc in packet.ssrcs
                    for ended in self._about(track, ssrc)
                    if ended.receiver.ssrc == ssrc
                ]
        self._release_if_due()

    def _about(self, track: MediaTrack, ssrc: int) -> list[MediaTrack]:
        """Give the track that a report can be about: that of the source, else that of the way."""
        of_source = [other for other in self._tracks.values() if other.receiver.ssrc == ssrc]
        return of_source[:1] or [track]

    # Time.

    def next_timeout(self) -> float | None:
        """Tell when to call `time_out`; None before anything has come."""
        due = [track.reorder.next_timeout() for track in self._tracks.values()]
        times = [time for time in (*due, self._next_report) if time is not None]
        if self._held and self._hold_end is not None:
            times.append(self._hold_end)
        return min(times, default=None)

    def time_out(self, now: float, now_us: int) -> None:
        """Do what is due, but for reports: ask for `receiver_reports` too."""
        self._pass_time(now, now_us)
        for track in self._tracks.values():
            track.give_up_holes(now, now_us)
        self._release_if_due()

    def receiver_reports(self, now: float) -> list[tuple[int, bytes]]:
        """Build our reports if they are due: track index and compound packet each."""
        if self._next_report is None or now < self._next_report:
            return []
        self._next_report = now + REPORT_INTERVAL_SECONDS
        return [
            (index, track.receiver_report(self._ssrc, self._cname, now))
            for index, track in self._tracks.items()
        ]

    def interleaved_reports(self, now: float) -> bytes:
        """Build our reports as frames for the RTCP channels; empty if none are due."""
        reports = dict(self.receiver_reports(now)) if self._rtcp_channels else {}
        return b"".join(
            build_frame(channel, reports[track.description.index])
            for channel, track in self._rtcp_channels.items()
            if track.description.index in reports
        )

    def finish(self) -> None:
        """End the session: hand on what is whole. Media that still comes is dropped."""
        self._reader.finish()
        self._rtp_channels.clear()
        self._rtcp_channels.clear()
        self._running = self._run = None
        for track in self._tracks.values():
            track.finish(self._now, self._now_us)
        self._release()

    def take_events(self) -> list[TrackEnded]:
        """Give out what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def statistics(self) -> dict[int, TrackStatistics]:
        """Tell what came of each track, by its index."""
        return {index: track.statistics for index, track in self._tracks.items()}

    @property
    def session_statistics(self) -> SessionStatistics:
        """What came apart from tracks."""
        return SessionStatistics(
            self._unassigned_frames,
            self._reader.skipped_bytes,
            self._ignored_reports,
            self.clock.camera_clock_offset_us,
            self.clock.believed,
        )

    def _pass_time(self, now: float, now_us: int) -> None:
        self._now, self._now_us = now, now_us
        if self._next_report is None:
            self._next_report = now + REPORT_INTERVAL_SECONDS / 2

    # Holding back what comes before its time is known.

    def _take_frame(self, track: MediaTrack, frame: Frame) -> None:
        """Hand a frame on with its time, or hold it."""
        if self._held is None:
            self._deliver((track.unit(frame, self._now, self._now_us),))
            return
        self._held.append((track, frame, self._now, self._now_us))
        self._held_bytes += len(frame.data)
        self._release_if_due()

    def _release_if_due(self) -> None:
        """Let go what is held once time is known, or was waited for long enough."""
        sending = [t for t in self._tracks.values() if t.receiver.ssrc is not None]
        if self._held is None or not sending:
            return
        if self._hold_end is None:
            self._hold_end = self._now + HOLD_SECONDS
        if (
            self._now >= self._hold_end
            or self._held_bytes > HOLD_BYTES
            or (self._held and all(track.reports for track in sending))
        ):
            self._release()

    def _release(self) -> None:
        """Hand on what is held; from here on nothing is."""
        held, self._held = self._held or [], None
        for track, frame, now, now_us in held:
            self._deliver((track.unit(frame, now, now_us),))
