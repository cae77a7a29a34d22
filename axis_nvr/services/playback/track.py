"""One track of a playback on its way to one client."""

import secrets

from axis_nvr.errors import WireError
from axis_nvr.media.units import AccessUnit, Format, VideoFormat
from axis_nvr.protocols.presentation import IDelivery
from axis_nvr.session.packetizers.choose import offered_track, packetizer_for
from axis_nvr.session.replay.extension import EXTENSION_BYTES
from axis_nvr.session.rtp_sender import RtpSender
from axis_nvr.session.server.description import OfferedTrack
from axis_nvr.wire.rtcp import (
    SenderReport,
    build_bye,
    build_sender_report,
    build_source_description,
)

#: How this recorder calls itself in RTCP.
CNAME = "axis-nvr"


class PlayedTrack:
    """A track: how it is described, and where it goes once it is set up.

    :param form: as the recording begins.
    :param token: what ``x-onvif-track`` says, such as ``VIDEO001``.
    """

    def __init__(self, form: Format, offered: OfferedTrack, token: str) -> None:
        attributes = (*offered.attributes, ("x-onvif-track", token))
        self.form = form
        self.offered = OfferedTrack(
            offered.kind,
            offered.payload_type,
            offered.encoding,
            offered.fmtp,
            offered.bandwidth_kbit,
            attributes,
            offered.protocol,
        )
        self.clock_rate = offered.clock_rate
        self.sender = RtpSender(
            offered.payload_type,
            secrets.randbits(32),
            CNAME,
            secrets.randbits(16),
            secrets.randbits(32),
        )
        self._packetizer = packetizer_for(form)
        self._delivery: IDelivery | None = None

    @property
    def is_set_up(self) -> bool:
        """Whether the client wants it."""
        return self._delivery is not None

    def set_up(self, delivery: IDelivery) -> int:
        """Send it there from now on; gives the synchronisation source."""
        self._delivery = delivery
        return self.sender.ssrc

    @property
    def is_blocked(self) -> bool:
        """Whether the client takes nothing now."""
        return self._delivery is not None and not self._delivery.send(())

    def send(self, unit: AccessUnit, ticks: int, extension: bytes) -> bool:
        """Send a unit.

        :param ticks: its time on the media clock.
        :param extension: for its first packet; empty for none.
        :returns: False if the client takes nothing now; nothing has happened then.
        """
        assert self._delivery is not None
        assert self._packetizer is not None
        sender = self.sender
        before = sender.sequence_number, sender.packet_count, sender.octet_count
        try:
            bursts = self._packetizer(unit, self._delivery.payload_limit - EXTENSION_BYTES)
        except WireError:  # RTP cannot carry it: it is left out
            return True
        packets: list[bytes] = []
        for payloads, later, marker in bursts:
            at = ticks + later
            if extension:
                is_whole = marker and len(payloads) == 1
                packets += sender.packets(payloads[:1], at, marker=is_whole, extension=extension)
                payloads, extension = payloads[1:], b""
            packets += sender.packets(payloads, at, marker=marker)
        if self._delivery.send(packets):
            return True
        sender.sequence_number, sender.packet_count, sender.octet_count = before
        return False

    def report(self, utc_us: int, ticks: int) -> None:
        """Say what time it is."""
        if self._delivery is not None:
            self._delivery.send_report(self.sender.report(utc_us, ticks))

    def leave(self, utc_us: int | None, ticks: int) -> None:
        """Say that nothing more comes.

        :param utc_us: what time it is; None says nothing of it, as without rate control.
        """
        if self._delivery is None:
            return
        sender = self.sender
        if utc_us is None:
            counts = sender.packet_count & 0xFFFFFFFF, sender.octet_count & 0xFFFFFFFF
            report = build_sender_report(SenderReport(sender.ssrc, 0, 0, *counts))
            report += build_source_description(sender.ssrc, sender.cname)
        else:
            report = sender.report(utc_us, ticks)
        self._delivery.send_report(report + build_bye([sender.ssrc], "end of the recording"))


def played_tracks(formats: dict[int, Format]) -> list[PlayedTrack]:
    """Give what of a recording RTP can carry, pictures first, in the order of its tracks."""
    tracks: list[PlayedTrack] = []
    counts: dict[str, int] = {}
    for index in sorted(formats, key=lambda at: (not isinstance(formats[at], VideoFormat), at)):
        form = formats[index]
        offered = offered_track(form)
        if offered is None or packetizer_for(form) is None:
            continue
        kind = {"video": "VIDEO", "audio": "AUDIO"}.get(offered.kind, "META")
        counts[kind] = counts.get(kind, 0) + 1
        tracks.append(PlayedTrack(form, offered, f"{kind}{counts[kind]:03}"))
    return tracks
