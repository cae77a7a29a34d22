"""Motion JPEG out of RTP (RFC 2435)."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.session.depacketizers import jpeg
from axis_nvr.session.depacketizers.jpeg import JpegDepacketizer
from axis_nvr.wire.jpeg import build_jpeg_header, quantization_tables
from tests.session.depacketizers.payloads import Packet, datas, feed, pieces, video

SCAN = bytes(range(200))
TABLES = bytes(range(1, 129))


def payloads(
    scan: bytes = SCAN, *, size: int = 30, kind: int = 1, q: int = 50, tables: bytes = b""
) -> list[bytes]:
    """A picture of 640x480, cut into packets."""
    made = []
    for index, part in enumerate(pieces(scan, size)):
        head = (index * size).to_bytes(4, "big") + bytes((kind, q, 80, 60))
        if kind >= 64:
            head += b"\x00\x04\xff\xff"
        if q >= 128 and index == 0:
            head += b"\0\0" + len(tables).to_bytes(2, "big") + tables
        made.append(head + part)
    return made


def marked(parts: list[bytes], timestamp: int) -> list[Packet]:
    return [(part, timestamp, index == len(parts) - 1) for index, part in enumerate(parts)]


class JpegTests(SynchronousTestCase):
    def test_a_picture(self) -> None:
        """Headers made of type and Q, the scan, and the end."""
        (frame,) = feed(JpegDepacketizer(), marked(payloads(), 9000))
        header = build_jpeg_header(1, 640, 480, quantization_tables(50))
        self.assertEqual(frame.data, header + SCAN + b"\xff\xd9")
        self.assertEqual((video(frame).width, video(frame).height), (640, 480))
        self.assertTrue(frame.sync)

    def test_an_end_that_is_there_is_not_doubled(self) -> None:
        """Some cameras send the end of the image."""
        (frame,) = feed(JpegDepacketizer(), marked(payloads(SCAN + b"\xff\xd9"), 1))
        self.assertTrue(bytes(frame.data).endswith(SCAN + b"\xff\xd9"))

    def test_restart_markers(self) -> None:
        """The restart interval goes into the header."""
        (frame,) = feed(JpegDepacketizer(), marked(payloads(kind=65), 1))
        expected = build_jpeg_header(65, 640, 480, quantization_tables(50), restart_interval=4)
        self.assertTrue(bytes(frame.data).startswith(expected))

    def test_tables_in_band(self) -> None:
        """They hold for later pictures of the same Q, except for Q 255."""
        made = JpegDepacketizer()
        packets = [*marked(payloads(q=200, tables=TABLES), 1), *marked(payloads(q=200), 2)]
        first, second = feed(made, packets)
        self.assertEqual(first.data, second.data)
        feed(made, marked(payloads(q=255, tables=TABLES), 3))
        with self.assertRaises(WireError):
            feed(made, marked(payloads(q=255), 4))

    def test_marker_never_set(self) -> None:
        """Another timestamp ends a picture too; the last one only if it has its end."""
        packets: list[Packet] = [(p, stamp, False) for stamp in (1, 2) for p in payloads()]
        frames = feed(JpegDepacketizer(), packets)
        self.assertEqual([frame.timestamp for frame in frames], [1])

    def test_loss(self) -> None:
        """A picture that lacks a part is thrown away, the next one tells, one format object."""
        parts = payloads()
        for missing in range(len(parts)):
            made = JpegDepacketizer()
            packets: list[Packet] = marked(parts, 1)
            packets += [
                (part, 2, index == len(parts) - 1, int(index == missing + 1))
                for index, part in enumerate(parts)
                if index != missing
            ]
            packets += [
                (part, 3, index == len(parts) - 1, int(index == 0 and missing == len(parts) - 1))
                for index, part in enumerate(parts)
            ]
            frames = feed(made, packets)
            self.assertEqual([(f.timestamp, f.lost) for f in frames], [(1, 0), (3, 1)])
            self.assertTrue(frames[1].damaged)
            self.assertIs(frames[0].format, frames[1].format)

    def test_pictures_that_cannot_be_described(self) -> None:
        """No size, or a type that RFC 2435 does not define: refused, and the next one tells."""
        for head in (b"\0\0\0\0\x01\x32\0\0", b"\0\0\0\0\x05\x32\x50\x3c"):
            made = JpegDepacketizer()
            with self.assertRaises(WireError):
                made.push(memoryview(head + SCAN), 1, True, 0)
            made.damage()
            (frame,) = feed(made, marked(payloads(), 2))
            self.assertTrue(frame.damaged)
            self.assertEqual(made.discarded_units, 1)

    def test_largest_picture(self) -> None:
        """A picture that grows too large is thrown away."""
        self.patch(jpeg, "MAX_SCAN_BYTES", 1000)
        packets = [*marked(payloads(bytes(5000)), 1), *marked(payloads(), 2)]
        frames = feed(JpegDepacketizer(), packets)
        self.assertEqual([(f.timestamp, f.damaged) for f in frames], [(2, True)])

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.one_of(st.binary(max_size=20), st.sampled_from(payloads())),
                st.integers(0, 2),
                st.booleans(),
                st.sampled_from([0, 0, 1]),
            ),
            max_size=20,
        )
    )
    def test_any_bytes(self, packets: list[tuple[bytes, int, bool, int]]) -> None:
        """Whatever comes, there is no error but `WireError`, and pictures have both ends."""
        made = JpegDepacketizer()
        for payload, timestamp, marker, lost in packets:
            try:
                frames = datas(made.push(memoryview(payload), timestamp, marker, lost))
            except WireError:
                made.damage()
                continue
            for data in frames:
                self.assertTrue(data.startswith(b"\xff\xd8"))
                self.assertTrue(data.endswith(b"\xff\xd9"))
