"""JPEG files taken apart for RTP."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire.jpeg import build_jpeg_header, quantization_tables
from axis_nvr.wire.jpeg_picture import parse_jpeg_picture

TABLES = quantization_tables(80)
HEADER = build_jpeg_header(1, 640, 360, TABLES, restart_interval=7)
PICTURE = HEADER + b"the scan" + b"\xff\xd9"


class PictureTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(
        kind=st.integers(0, 1),
        width=st.integers(1, 2040),
        height=st.integers(1, 2040),
        precision=st.integers(0, 3),
        interval=st.integers(0, 65535),
        scan=st.binary(max_size=300),
    )
    def test_reads_what_is_built(
        self, kind: int, width: int, height: int, precision: int, interval: int, scan: bytes
    ) -> None:
        """Everything that goes into a header comes out of it."""
        tables = bytes(n % 255 + 1 for n in range(64 * (2 + (precision & 1) + (precision >> 1))))
        header = build_jpeg_header(
            kind, width, height, tables, precision=precision, restart_interval=interval
        )
        found = parse_jpeg_picture(header + scan + b"\xff\xd9")
        self.assertEqual(found[:-1], (kind, width, height, interval, precision, tables))
        self.assertEqual(bytes(found.scan), scan)

    def test_cut_anywhere_in_the_header(self) -> None:
        """Half a header is refused, never misread."""
        for size in range(len(HEADER)):
            with self.assertRaises(WireError):
                parse_jpeg_picture(PICTURE[:size])

    def test_comments_and_fill_bytes_are_passed_over(self) -> None:
        """They are not sent."""
        comment = b"\xff\xff\xff\xfe\x00\x07hello"
        found = parse_jpeg_picture(PICTURE[:2] + comment + PICTURE[2:])
        self.assertEqual(found, parse_jpeg_picture(PICTURE))

    def test_what_rtp_cannot_tell_is_refused(self) -> None:
        """Progressive, other Huffman tables, other sampling, too large, one component."""
        frame = HEADER.index(b"\xff\xc0")
        huffman = HEADER.index(b"\xff\xc4")
        for place, value in (
            (frame + 1, 0xC2),
            (frame + 5, 0x40),  # height
            (frame + 7, 0x08),  # width
            (frame + 9, 1),
            (frame + 11, 0x41),
            (frame + 14, 0x21),
            (huffman + 22, 9),  # its second symbol
            (frame + 12, 3),  # a table that is not there
        ):
            changed = bytearray(PICTURE)
            changed[place] = value
            with self.assertRaises(WireError):
                parse_jpeg_picture(changed)

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, len(HEADER) - 1), st.integers(0, 255))
    def test_any_byte_may_be_wrong(self, place: int, value: int) -> None:
        """Bytes that break the format raise `WireError` and nothing else."""
        changed = bytearray(PICTURE)
        changed[place] = value
        with contextlib.suppress(WireError):
            parse_jpeg_picture(changed)
