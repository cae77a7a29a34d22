"""RFC 2435 headers, and the picture files made of them."""

import hashlib
import json
from pathlib import Path
from typing import Any

from construct import ConstructError
from hypothesis import event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import jpeg
from axis_nvr.wire.jpeg_tables import CHROMA_QUANTIZER, HUFFMAN_SEGMENTS, LUMA_QUANTIZER

DATA = json.loads((Path(__file__).parents[1] / "data" / "jpeg_rtp.json").read_text())

#: ITU-T T.81 Tables K.1 and K.2, row by row.
LUMA_ROWS = """
    16 11 10 16 24 40 51 61     12 12 14 19 26 58 60 55
    14 13 16 24 40 57 69 56     14 17 22 29 51 87 80 62
    18 22 37 56 68 109 103 77   24 35 55 64 81 104 113 92
    49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
"""
CHROMA_ROWS = (
    """
    17 18 24 47 99 99 99 99  18 21 26 66 99 99 99 99
    24 26 56 99 99 99 99 99  47 66 99 99 99 99 99 99
"""
    + 32 * " 99"
)


def zigzag(rows: str) -> bytes:
    """Put a table that is written row by row into zigzag order (T.81 Figure A.6)."""
    values = [int(value) for value in rows.split()]
    order = sorted(
        range(64),
        key=lambda place: (
            sum(divmod(place, 8)),
            place // 8 if sum(divmod(place, 8)) % 2 else place % 8,
        ),
    )
    return bytes(values[place] for place in order)


def described(data: bytes) -> tuple[Any, ...] | None:
    """Read a payload by its description; None if it does not fit."""
    try:
        read = jpeg.PAYLOAD.parse(data)
    except ConstructError:
        return None
    tables = read.quantization.tables if read.quantization else b""
    if len(tables) > jpeg.MAX_TABLE_BYTES:
        return None
    return (
        read.fragment_offset,
        read.type,
        read.q,
        8 * read.width_blocks,
        8 * read.height_blocks,
        read.restart.interval if read.restart else 0,
        read.quantization.precision if read.quantization else 0,
        tables,
        read.scan,
    )


def fast(data: bytes) -> tuple[Any, ...] | None:
    try:
        return (*jpeg.parse_jpeg_payload(data)[:-1], bytes(jpeg.parse_jpeg_payload(data).scan))
    except WireError:
        return None


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Payloads built from the description, half of them cut or with a byte changed."""
    q = draw(st.sampled_from([0, 50, 99, 127, 128, 200, 255]))
    built: bytes = jpeg.PAYLOAD.build(
        {
            "type_specific": draw(st.integers(0, 3)),
            "fragment_offset": draw(st.sampled_from([0, 0, 1, 0xFFFFFF])),
            "type": draw(st.sampled_from([0, 1, 2, 63, 64, 65, 127, 128])),
            "q": q,
            "width_blocks": draw(st.integers(0, 255)),
            "height_blocks": draw(st.integers(0, 255)),
            "restart": {
                "interval": draw(st.integers(0, 65535)),
                "place": {"first": True, "last": True, "count": 0x3FFF},
            },
            "quantization": {
                "reserved": 0,
                "precision": draw(st.integers(0, 3)),
                "tables": draw(st.sampled_from([b"", bytes(64), bytes(128), bytes(513)])),
            },
            "scan": draw(st.binary(max_size=20)),
        }
    )
    if draw(st.booleans()):
        return built
    if draw(st.booleans()):
        return built[: draw(st.integers(0, len(built)))]
    place = draw(st.integers(0, len(built) - 1))
    return built[:place] + draw(st.binary(min_size=1, max_size=1)) + built[place + 1 :]


class PayloadTests(SynchronousTestCase):
    @settings(max_examples=500, deadline=None)
    @given(payloads())
    def test_reads_what_is_described(self, data: bytes) -> None:
        """Both accept the same bytes, with the same fields, or both refuse."""
        expected = described(data)
        event("refused" if expected is None else "accepted")
        self.assertEqual(fast(data), expected)

    def test_gstreamer(self) -> None:
        """The payloads of a real sender: type, size, tables in the first one only."""
        for picture in DATA["pictures"]:
            first, *rest = (bytes.fromhex(payload) for payload in picture["payloads"])
            read = jpeg.parse_jpeg_payload(first)
            self.assertEqual(read.type, {"420": 1, "422": 0}[picture["sampling"]])
            self.assertEqual((read.width, read.height, read.q), (64, 48, 255))
            self.assertEqual((len(read.tables), read.precision), (128, 0))
            for payload in rest:
                self.assertEqual(jpeg.parse_jpeg_payload(payload).tables, b"")

    def test_restart_header(self) -> None:
        """Types 64 to 127 have a restart interval."""
        read = jpeg.parse_jpeg_payload(bytes.fromhex("00000000 41 32 08 06 0004 ffff 1234"))
        self.assertEqual((read.type, read.q, read.restart_interval), (65, 50, 4))
        self.assertEqual(bytes(read.scan), b"\x12\x34")


class TableTests(SynchronousTestCase):
    def test_base_tables_are_the_standards(self) -> None:
        """The tables are those of the JPEG standard, in zigzag order."""
        self.assertEqual(LUMA_QUANTIZER, zigzag(LUMA_ROWS))
        self.assertEqual(CHROMA_QUANTIZER, zigzag(CHROMA_ROWS))

    def test_huffman_segments(self) -> None:
        """Each segment has as many symbols as its counts say, none twice."""
        rest, seen = HUFFMAN_SEGMENTS, []
        while rest:
            size = int.from_bytes(rest[2:4], "big")
            body, rest = rest[4 : 2 + size], rest[2 + size :]
            seen.append(body[0])
            self.assertEqual(sum(body[1:17]), len(body) - 17)
            self.assertEqual(len(set(body[17:])), len(body) - 17)
        self.assertEqual(seen, [0x00, 0x10, 0x01, 0x11])

    def test_quality(self) -> None:
        """Q 50 is the base, Q 1 is the worst, Q 99 nearly loses nothing."""
        self.assertEqual(jpeg.quantization_tables(50), LUMA_QUANTIZER + CHROMA_QUANTIZER)
        self.assertEqual(set(jpeg.quantization_tables(1)), {255})
        self.assertEqual(max(jpeg.quantization_tables(99)), 2)
        self.assertEqual(min(jpeg.quantization_tables(99)), 1)
        self.assertEqual(jpeg.quantization_tables(25)[0], 32)  # 16 * 5000/25 %, rounded

    def test_quality_without_tables(self) -> None:
        """Q 0, 100 and up stand for no tables."""
        for q in (0, 100, 127, 128, 255):
            with self.assertRaises(WireError):
                jpeg.quantization_tables(q)


class HeaderTests(SynchronousTestCase):
    def test_picture(self) -> None:
        """Header and scan make the file that ffmpeg decodes to the sender's pixels."""
        for picture in DATA["pictures"]:
            parts = [jpeg.parse_jpeg_payload(bytes.fromhex(one)) for one in picture["payloads"]]
            first = parts[0]
            data = jpeg.build_jpeg_header(first.type, first.width, first.height, first.tables)
            for part in parts:
                self.assertEqual(
                    part.fragment_offset, sum(len(p.scan) for p in parts[: parts.index(part)])
                )
                data += bytes(part.scan)
            self.assertEqual(data[-2:], jpeg.END_OF_IMAGE)
            self.assertEqual(hashlib.sha256(data).hexdigest(), picture["file_sha256"])

    def test_restart_interval(self) -> None:
        """A restart interval is written, none is left out."""
        tables = jpeg.quantization_tables(50)
        with_restarts = jpeg.build_jpeg_header(65, 64, 48, tables, restart_interval=7)
        without = jpeg.build_jpeg_header(1, 64, 48, tables)
        self.assertIn(bytes.fromhex("ffdd 0004 0007"), with_restarts)
        self.assertEqual(with_restarts.replace(bytes.fromhex("ffdd 0004 0007"), b""), without)

    def test_tables(self) -> None:
        """One table serves all components; wide tables make an extended frame; more are cut."""
        one = jpeg.build_jpeg_header(1, 64, 48, bytes(range(1, 65)))
        self.assertEqual(one.count(b"\xff\xdb"), 1)
        self.assertIn(bytes.fromhex("0122 00 0211 00 0311 00"), one)
        wide = jpeg.build_jpeg_header(1, 64, 48, bytes(128 + 64), precision=1)
        self.assertIn(bytes.fromhex("ffdb 0083 10"), wide)
        self.assertIn(bytes.fromhex("ffc1"), wide)
        three = jpeg.build_jpeg_header(0, 64, 48, bytes(192))
        self.assertEqual(three, jpeg.build_jpeg_header(0, 64, 48, bytes(128)))

    def test_refused(self) -> None:
        """Unknown types, no size and half tables are refused."""
        good = bytes(128)
        for kind, width, height, tables in (
            (2, 64, 48, good),
            (66, 64, 48, good),
            (128, 64, 48, good),
            (1, 0, 48, good),
            (1, 64, 0, good),
            (1, 64, 48, b""),
            (1, 64, 48, bytes(63)),
            (1, 64, 48, bytes(100)),
        ):
            with self.assertRaises(WireError):
                jpeg.build_jpeg_header(kind, width, height, tables)

    @settings(max_examples=200, deadline=None)
    @given(
        st.integers(0, 255),
        st.integers(0, 70000),
        st.integers(0, 70000),
        st.binary(max_size=300),
        st.integers(0, 255),
        st.integers(0, 65535),
    )
    def test_any_values(
        self, kind: int, width: int, height: int, tables: bytes, precision: int, interval: int
    ) -> None:
        """Whatever a peer's header holds, a header comes out or a `WireError`."""
        try:
            built = jpeg.build_jpeg_header(
                kind, width, height, tables, precision=precision, restart_interval=interval
            )
        except WireError:
            return
        self.assertLess(len(built), 1000)
