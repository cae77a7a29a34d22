"""SEI messages of both codecs."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import sei
from axis_nvr.wire.nal import escape

#: ONVIF Media Signing.
SIGNING = UUID("005bc93f-2d71-5e95-ada4-796f90877a6f")


def h264_sei(*messages: tuple[int, bytes]) -> bytes:
    """Build an SEI NAL unit, escaped."""
    return escape(b"\x06" + unescaped(*messages))


def unescaped(*messages: tuple[int, bytes]) -> bytes:
    data = b""
    for payload_type, payload in messages:
        for number in (payload_type, len(payload)):
            data += b"\xff" * (number // 255) + bytes([number % 255])
        data += payload
    return data + b"\x80"


class SplitTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """Types and sizes from 255 on take more bytes; payloads come back unescaped."""
        messages = [(1, b""), (5, bytes(300)), (600, b"\1" * 254), (6, b"\x80" * 255)]
        self.assertEqual(sei.parse_h264_sei(h264_sei(*messages)), messages)

    def test_x264(self) -> None:
        """The encoder's own message (libx264 164), cut short."""
        nal = bytes.fromhex("0605 14 dc45e9bde6d948b7962cd820d923eeef 78323634 80")
        (message,) = sei.parse_h264_sei(nal)
        data = sei.parse_user_data(message.payload)
        self.assertEqual(data.uuid, UUID("dc45e9bd-e6d9-48b7-962c-d820d923eeef"))
        self.assertEqual(data.data, b"x264")

    def test_signed_and_not_escaped(self) -> None:
        """A signing camera that does not escape: 00 00 03 in its one message stays."""
        payload = SIGNING.bytes + bytes.fromhex("00 01 000a 00000003 ff")
        for header, parse in ((b"\x06", sei.parse_h264_sei), (b"\x4e\1", sei.parse_h265_sei)):
            bare = header + unescaped((5, payload))
            self.assertEqual(parse(bare), [(5, payload)])
            self.assertEqual(parse(bare + b"\0"), [(5, payload)])
            self.assertNotEqual(escape(bare), bare)
            self.assertEqual(parse(escape(bare)), [(5, payload)])

    def test_cut(self) -> None:
        """Cut at any byte, the messages before the cut remain."""
        messages = [(5, b"\1" * 20), (6, b"\2"), (1, b"\3" * 5)]
        whole = h264_sei(*messages)
        for end in range(1, len(whole)):
            read = sei.parse_h264_sei(whole[:end])
            self.assertEqual(read, messages[: len(read)])

    def test_bounded(self) -> None:
        """No more messages than the limit, no larger NAL unit."""
        many = h264_sei(*[(1, b"\1")] * 1000)
        self.assertEqual(len(sei.parse_h264_sei(many)), sei.MAX_SEI_MESSAGES)
        with self.assertRaises(WireError):
            sei.parse_h264_sei(b"\6" + bytes(sei.MAX_SEI_BYTES))

    def test_other_nal_units(self) -> None:
        """Anything but SEI is refused."""
        for nal in (b"", b"\x67\x42"):
            with self.assertRaises(WireError):
                sei.parse_h264_sei(nal)
        for nal in (b"", b"\x4e", b"\x40\1\5"):
            with self.assertRaises(WireError):
                sei.parse_h265_sei(nal)

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 600), st.binary(max_size=300)), max_size=5),
    )
    def test_round_trip(self, messages: list[tuple[int, bytes]]) -> None:
        """Any messages come back from an escaped NAL unit."""
        self.assertEqual(sei.parse_h264_sei(h264_sei(*messages)), messages)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=60))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes behind the header read, and no more comes out than went in."""
        for read in (sei.parse_h264_sei(b"\x06" + data), sei.parse_h265_sei(b"\x50\1" + data)):
            self.assertLessEqual(sum(len(message.payload) for message in read), len(data))
            for message in read:
                for parse in (sei.parse_recovery_point, sei.parse_user_data):
                    try:
                        parse(message.payload)
                    except WireError:
                        continue


class RecoveryPointTests(SynchronousTestCase):
    def test_gradual_refresh(self) -> None:
        """libx264 with intra-refresh: right after 12 frames."""
        (message,) = sei.parse_h264_sei(bytes.fromhex("0606021b1080"))
        self.assertEqual(message.payload_type, sei.RECOVERY_POINT)
        self.assertEqual(sei.parse_recovery_point(message.payload), (12, True, False))

    def test_h265(self) -> None:
        """libx265 with idr-recovery-sei: right at once; the count is signed."""
        (message,) = sei.parse_h265_sei(bytes.fromhex("4e010601d080"))
        self.assertEqual(sei.parse_recovery_point(message.payload, h265=True), (0, True, False))
        self.assertEqual(sei.parse_recovery_point(b"\x68", h265=True), (-1, False, True))
