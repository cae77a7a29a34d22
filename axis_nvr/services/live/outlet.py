"""One track on its way to one client: RTP headers, sender reports, the end.

Media time is the time of day when the camera took a unit, in ticks of the track's clock, so a
sender report, which ties the two together, never has to correct anything: not across tracks, and
not when the camera has been away in between.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Protocol

from axis_nvr.protocols.presentation import IDelivery, TrackStart
from axis_nvr.session.packetizers.choose import Burst
from axis_nvr.session.rtp_sender import RtpSender
from axis_nvr.session.server.description import OfferedTrack
from axis_nvr.wire.rtcp import build_bye

#: Seconds between sender reports; the first goes out before the first packet.
REPORT_SECONDS = 5.0
#: The least that is left of a packet for its payload, in bytes.
MIN_PAYLOAD_BYTES = 64


class IPart(Protocol):
    """Tracks of a presentation that belong together."""

    @property
    def offered(self) -> Sequence[OfferedTrack]:
        """The tracks as they are described."""

    def set_up(self, track: int, delivery: IDelivery) -> int:
        """Send a track to `delivery` from `started` on; returns its synchronisation source.

        :param track: counted from 0 among those of this part.
        """

    def prepare(self, cseq: int) -> list[TrackStart]:
        """Get ready to play; returns where each track that is set up begins.

        :param cseq: of the PLAY.
        :raises RequestRefused: there is nothing to play any more.
        """

    def started(self) -> None:
        """Begin to send."""

    def pause(self) -> None:
        """Send nothing more until `started` comes again."""

    def writable(self) -> None:
        """Go on: the client takes more."""

    def stop(self) -> None:
        """End. Called exactly once."""


class Outlet:
    """The sender of one track to one client.

    :param random: for what RFC 3550 wants random.
    :param cname: names this recorder (RFC 3550 §6.5.1).
    """

    def __init__(self, offered: OfferedTrack, random: Random, cname: str) -> None:
        self.offered = offered
        self.delivery: IDelivery | None = None
        self._clock_rate = offered.clock_rate
        self._sender = RtpSender(
            offered.payload_type,
            random.getrandbits(32),
            cname,
            random.getrandbits(16),
            random.getrandbits(32),
        )

    def set_up(self, delivery: IDelivery) -> int:
        """Take the way to the client; returns the synchronisation source."""
        self.delivery = delivery
        return self._sender.ssrc

    def payload_limit(self, extension_bytes: int = 0) -> int:
        """Bytes of the largest payload."""
        assert self.delivery is not None
        return max(MIN_PAYLOAD_BYTES, self.delivery.payload_limit - extension_bytes)

    def start(self, utc_us: int) -> tuple[int, int]:
        """Return sequence number and RTP timestamp of what begins at a time."""
        return self._sender.sequence_number, self._sender.rtp_timestamp(self._ticks(utc_us))

    def send(self, bursts: Iterable[Burst], utc_us: int, extension: bytes = b"") -> bool:
        """Send the packets of one unit.

        :param utc_us: when it was taken: UTC, microseconds since 1970.
        :returns: False if the client is too slow: nothing was sent, no number was used.
        """
        assert self.delivery is not None
        sender, ticks = self._sender, self._ticks(utc_us)
        before = sender.sequence_number, sender.packet_count, sender.octet_count
        packets: list[bytes] = []
        for payloads, later, marker in bursts:
            packets += sender.packets(payloads, ticks + later, marker=marker, extension=extension)
        if not packets or self.delivery.send(packets):
            return True
        sender.sequence_number, sender.packet_count, sender.octet_count = before
        return False

    def report(self, utc_us: int) -> None:
        """Send a sender report.

        :param utc_us: now.
        """
        if self.delivery is not None:
            self.delivery.send_report(self._sender.report(utc_us, self._ticks(utc_us)))

    def bye(self, utc_us: int, reason: str) -> None:
        """Say that nothing follows, behind a report: some clients overlook a bare BYE."""
        if self.delivery is not None:
            report = self._sender.report(utc_us, self._ticks(utc_us))
            self.delivery.send_report(report + build_bye([self._sender.ssrc], reason))

    def _ticks(self, utc_us: int) -> int:
        return (utc_us * self._clock_rate + 500_000) // 1_000_000
