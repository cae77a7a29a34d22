"""One RTP stream as its sender sees it: sequence numbers, timestamps, reports.

A sender is told media time in unwrapped ticks; a random offset hides where that began. It counts
what it sends, and its reports tie the media clock to the wall clock.

Source: RFC 3550 §5.1, §6.4.1.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from axis_nvr.wire.ntp import ntp_from_utc_us
from axis_nvr.wire.rtcp import (
    SenderReport,
    build_sender_report,
    build_source_description,
)

#: Bytes of an RTP header without CSRCs or extension.
RTP_HEADER_BYTES = 12

_FIXED = struct.Struct("!BBHII")


@dataclass(slots=True)
class RtpSender:
    """Puts headers before payloads.

    :param sequence_number: of the first packet; random, 16 bits.
    :param timestamp_offset: added to the media time; random, 32 bits.
    """

    payload_type: int
    ssrc: int
    cname: str
    sequence_number: int = 0
    timestamp_offset: int = 0
    packet_count: int = 0
    octet_count: int = 0

    def packets(
        self,
        payloads: Sequence[bytes],
        ticks: int,
        *,
        marker: bool = True,
        extension: bytes = b"",
    ) -> list[bytes]:
        """Make the packets of one frame.

        This is the fast path of `axis_nvr.wire.rtp.build_packet` for all packets of a frame.

        :param ticks: media time, unwrapped.
        :param marker: whether the last packet bears it.
        :param extension: a whole header extension for each packet, empty for none.
        """
        first = 0x90 if extension else 0x80
        timestamp = (ticks + self.timestamp_offset) & 0xFFFFFFFF
        number, kind, ssrc = self.sequence_number, self.payload_type, self.ssrc
        last = len(payloads) - 1
        made = []
        for place, payload in enumerate(payloads):
            second = kind | 0x80 if marker and place == last else kind
            header = _FIXED.pack(first, second, number, timestamp, ssrc)
            made.append(b"".join((header, extension, payload)))
            number = (number + 1) & 0xFFFF
            self.octet_count += len(payload)
        self.sequence_number = number
        self.packet_count += len(made)
        return made

    def rtp_timestamp(self, ticks: int) -> int:
        """Return the RTP timestamp of a media time."""
        return (ticks + self.timestamp_offset) & 0xFFFFFFFF

    def report(self, utc_us: int, ticks: int) -> bytes:
        """Make a sender report with the name of the sender behind it.

        :param utc_us: the sender's wall clock, microseconds since 1970.
        :param ticks: the same moment as media time, unwrapped.
        """
        report = SenderReport(
            self.ssrc,
            ntp_from_utc_us(utc_us),
            self.rtp_timestamp(ticks),
            self.packet_count & 0xFFFFFFFF,
            self.octet_count & 0xFFFFFFFF,
        )
        return build_sender_report(report) + build_source_description(self.ssrc, self.cname)
