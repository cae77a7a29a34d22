"""A sender's packets and reports, read back by the parsers of the wire."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.rtp_sender import RTP_HEADER_BYTES, RtpSender
from axis_nvr.wire import ntp, rtcp, rtp

NOON = 1_700_000_000_000_000


class PacketTests(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.binary(max_size=30), max_size=5),
        st.integers(0, 2**40),
        st.integers(0, 2**16 - 1),
        st.integers(0, 2**32 - 1),
        st.booleans(),
        st.sampled_from([b"", b"\xab\xac\0\1abcd"]),
    )
    def test_equal_to_the_builder(
        self,
        payloads: list[bytes],
        ticks: int,
        number: int,
        offset: int,
        marker: bool,
        extension: bytes,
    ) -> None:
        """Frame by frame the same bytes as `build_packet` makes packet by packet."""
        sender = RtpSender(96, 7, "c", number, offset)
        made = sender.packets(payloads, ticks, marker=marker, extension=extension)
        for place, payload in enumerate(payloads):
            expected = rtp.build_packet(
                marker=marker and place == len(payloads) - 1,
                payload_type=96,
                sequence_number=number + place,
                timestamp=ticks + offset,
                ssrc=7,
                payload=payload,
                extension=extension,
            )
            self.assertEqual(made[place], expected)
        self.assertEqual(sender.sequence_number, (number + len(payloads)) % 2**16)

    def test_header_size(self) -> None:
        """What is subtracted from a packet size is what the header takes."""
        (packet,) = RtpSender(96, 7, "c").packets([b""], 0)
        self.assertEqual(len(packet), RTP_HEADER_BYTES)


class ReportTests(SynchronousTestCase):
    def test_ties_the_clocks(self) -> None:
        """A report tells UTC and the media time of the same moment, and what was sent."""
        sender = RtpSender(96, 0xDEADBEEF, "camera", 65535, 2**32 - 1)
        sender.packets([b"abc", b"de"], 1)
        report, name = rtcp.parse_compound(sender.report(NOON, 90_001))
        assert isinstance(report, rtcp.SenderReport)
        self.assertEqual(ntp.utc_us_from_ntp(report.ntp_64), NOON)
        self.assertEqual(report.rtp_timestamp, 90_000)
        self.assertEqual((report.packet_count, report.octet_count), (2, 5))
        self.assertEqual(name, rtcp.SourceDescription(((0xDEADBEEF, "camera"),)))
