"""The media of a session some tracks of which are protected (SRTP).

::

    frame or datagram ─► SrtpReceiver ─► as in `axis_nvr.session.media`
    our report ─► SrtpSender ─► to the camera

Only a session with such tracks has this receiver, so nobody else pays for it. Their packets come
one by one: each is a call, and about 10 µs for the cipher and the tag, which no bulk saves.

A stream of which not one packet is authentic is not silent: that its keys are wrong is told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from axis_nvr.media.units import UnitSink
from axis_nvr.session.media import RTCP_TYPES, MediaReceiver
from axis_nvr.session.media_track import MediaTrack
from axis_nvr.session.pictures import Pictures
from axis_nvr.session.srtp import SrtpReceiver, SrtpSender, SrtpStatistics
from axis_nvr.session.srtp_keys import TrackProtection
from axis_nvr.session.tracks import TrackDescription

#: Packets come for so long and none is authentic: then that is told, in seconds. It is less than
#: a stream may be silent.
UNAUTHENTIC_SECONDS = 4.0
#: And there were at least so many.
MIN_UNAUTHENTIC_PACKETS = 3


@dataclass(slots=True)
class _Protected:
    """One protected track.

    :ivar refused_since: when the first packet after the last authentic one came; None without.
    :ivar refused: packets since then.
    """

    receiver: SrtpReceiver
    sender: SrtpSender
    refused_since: float | None = None
    refused: int = 0

    def note(self, is_good: bool, now: float) -> None:
        """Note whether a packet was authentic and new."""
        if is_good:
            self.refused_since = None
        elif self.refused_since is None:
            self.refused_since, self.refused = now, 1
        else:
            self.refused += 1

    def is_unauthentic(self, now: float) -> bool:
        """Whether nothing of what has come for a while is authentic and new."""
        return (
            self.refused_since is not None
            and now - self.refused_since >= UNAUTHENTIC_SECONDS
            and self.refused >= MIN_UNAUTHENTIC_PACKETS
        )


class ProtectedMediaReceiver(MediaReceiver):
    """A `MediaReceiver` that takes the protection off first.

    :param protections: by track; the others come as plain RTP.
    """

    def __init__(
        self,
        tracks: Iterable[TrackDescription],
        deliver: UnitSink,
        cname: str,
        ssrc: int,
        protections: Mapping[int, TrackProtection],
    ) -> None:
        super().__init__(tracks, deliver, cname, ssrc)
        self._protected = {
            index: _Protected(SrtpReceiver(protection.receive), SrtpSender(protection.send))
            for index, protection in protections.items()
        }

    def protection_statistics(self) -> dict[int, SrtpStatistics]:
        """Tell what came of the packets of each protected track, by its index."""
        return {index: it.receiver.statistics for index, it in self._protected.items()}

    def unauthentic_tracks(self, now: float) -> dict[int, int]:
        """Tell of which tracks nothing that comes is authentic, and of how many packets."""
        return {
            index: it.refused for index, it in self._protected.items() if it.is_unauthentic(now)
        }

    def receive_rtp(self, track_index: int, data: bytes, now: float, now_us: int) -> None:
        """Take a datagram from the RTP port of a track."""
        protected = self._protected.get(track_index)
        packet: bytes | None = data
        if protected is not None:
            packet = protected.receiver.unprotect(data)
            protected.note(packet is not None, now)
        if packet is not None:
            super().receive_rtp(track_index, packet, now, now_us)
        else:
            self._pass_time(now, now_us)

    def receive_rtcp(self, track_index: int, data: bytes, now: float, now_us: int) -> None:
        """Take a datagram from the RTCP port of a track."""
        protected = self._protected.get(track_index)
        packet: bytes | None = data
        if protected is not None:
            packet = protected.receiver.unprotect_rtcp(data)
        if packet is not None:
            super().receive_rtcp(track_index, packet, now, now_us)

    def _receive_frame(self, channel: int, packet: memoryview) -> Pictures | None:
        """Take an interleaved frame; those of protected tracks are never taken in bulk."""
        track = self._rtp_channels.get(channel) or self._rtcp_channels.get(channel)
        protected = self._protected.get(track.description.index) if track is not None else None
        if track is None or protected is None:
            return super()._receive_frame(channel, packet)
        if channel not in self._rtp_channels or (len(packet) > 1 and packet[1] in RTCP_TYPES):
            reports = protected.receiver.unprotect_rtcp(packet)
            if reports is not None:
                self._receive_reports(track, reports)
        else:
            self._receive_protected(track, protected, packet)
        return None

    def _receive_protected(
        self, track: MediaTrack, protected: _Protected, packet: memoryview
    ) -> None:
        """Take a protected RTP packet, in order."""
        plain = protected.receiver.unprotect(packet)
        protected.note(plain is not None, self._now)
        if plain is None:
            return
        track.receive_packet(plain, self._now, self._now_us)
        if self._held is not None:
            self._release_if_due()

    def receiver_reports(self, now: float) -> list[tuple[int, bytes]]:
        """Build our reports if they are due: track index and compound packet each."""
        return [
            (index, self._protected[index].sender.protect_rtcp(data))
            if index in self._protected
            else (index, data)
            for index, data in super().receiver_reports(now)
        ]
