"""JPEG over RTP: the headers of RFC 2435, and the picture file that is made of them.

::

    main header            type-specific 8 | fragment offset 24 | type 8 | Q 8 | width/8 | height/8
    restart header         interval 16 | first 1 | last 1 | count 14           types 64 to 127
    quantization header    0 | precision 8 | length 16 | tables        Q 128 to 255, first packet

RTP carries the entropy-coded scan only. `build_jpeg_header` makes what goes before it out of type
and tables: a JFIF file of three components, 4:2:2 (type 0, 64) or 4:2:0 (type 1, 65), with the
Huffman tables of the JPEG standard. Behind the last fragment comes `END_OF_IMAGE`.
"""

import struct
from functools import lru_cache
from typing import NamedTuple

from construct import (
    BitsInteger,
    BitStruct,
    Computed,
    Flag,
    GreedyBytes,
    If,
    Int8ub,
    Int16ub,
    Int24ub,
    Prefixed,
    Struct,
    this,
)

from axis_nvr.errors import WireError
from axis_nvr.wire.jpeg_tables import CHROMA_QUANTIZER, HUFFMAN_SEGMENTS, LUMA_QUANTIZER

#: Quantization tables of one picture, in bytes: four of 16-bit entries.
MAX_TABLE_BYTES = 512
#: Behind the last fragment of a picture, where its sender left it out.
END_OF_IMAGE = b"\xff\xd9"
#: Entries of a quantization table.
TABLE_ENTRIES = 64
#: From this Q on the tables come in band; 255 says that they may change with every picture.
IN_BAND_TABLES = 128
#: Types from this one on have a restart header; less 64 they are the same.
RESTART_TYPES = range(64, 128)
#: Sampling factors of the first component: type 0 is 4:2:2, type 1 is 4:2:0.
_LUMA_SAMPLING = {0: 0x21, 1: 0x22}

#: A payload; `parse_jpeg_payload` is the fast path of its reading.
PAYLOAD = Struct(
    "type_specific" / Int8ub,
    "fragment_offset" / Int24ub,
    "type" / Int8ub,
    "q" / Int8ub,
    "width_blocks" / Int8ub,
    "height_blocks" / Int8ub,
    "restart"
    / If(
        lambda payload: payload.type in RESTART_TYPES,
        Struct(
            "interval" / Int16ub,
            "place" / BitStruct("first" / Flag, "last" / Flag, "count" / BitsInteger(14)),
        ),
    ),
    "has_tables" / Computed(lambda p: p.q >= IN_BAND_TABLES and p.fragment_offset == 0),
    "quantization"
    / If(
        this.has_tables,
        Struct(
            "reserved" / Int8ub, "precision" / Int8ub, "tables" / Prefixed(Int16ub, GreedyBytes)
        ),
    ),
    "scan" / GreedyBytes,
)
_MAIN = struct.Struct("!IBBBB")
_TABLE_HEADER = struct.Struct("!xBH")


class JpegPayload(NamedTuple):
    """A part of a picture.

    :ivar fragment_offset: of `scan` in the whole scan, in bytes; 0 begins a picture.
    :ivar type: 0 or 1, or 64 more with restart markers; others are not understood.
    :ivar q: 1 to 99 computed tables, from 128 tables in band.
    :ivar width: in pixels, a multiple of 8; 0 where it does not fit.
    :ivar height: in pixels, a multiple of 8; 0 where it does not fit.
    :ivar restart_interval: in MCUs; 0 without restart markers.
    :ivar precision: bit `i` is set if table `i` has 16-bit entries.
    :ivar tables: that came in band; empty where none did.
    :ivar scan: a view of the entropy-coded bytes.
    """

    fragment_offset: int
    type: int
    q: int
    width: int
    height: int
    restart_interval: int
    precision: int
    tables: bytes
    scan: memoryview


def parse_jpeg_payload(payload: bytes | memoryview) -> JpegPayload:
    """Read one RTP payload without copying its scan.

    :raises WireError: a header is cut off, or tables are too long.

    Source: RFC 2435 §3.1, §3.1.7, §3.1.8.
    """
    view = memoryview(payload)
    size = len(view)
    start = 8
    if size < start:
        raise WireError(f"JPEG payload of {size} bytes", offset=0, source="RFC 2435 §3.1")
    offset, kind, q, width, height = _MAIN.unpack_from(view)
    offset &= 0xFFFFFF
    restart_interval = precision = 0
    tables = b""
    if kind in RESTART_TYPES:
        if size < start + 4:
            raise WireError("restart header cut off", offset=start, source="RFC 2435 §3.1.7")
        restart_interval = view[start] << 8 | view[start + 1]
        start += 4
    if q >= IN_BAND_TABLES and offset == 0:
        if size < start + 4:
            raise WireError("quantization header cut off", offset=start, source="RFC 2435 §3.1.8")
        precision, length = _TABLE_HEADER.unpack_from(view, start)
        start += 4
        if length > min(MAX_TABLE_BYTES, size - start):
            raise WireError(
                f"quantization tables of {length} bytes, {size - start} left",
                offset=start,
                source="RFC 2435 §3.1.8",
            )
        tables = bytes(view[start : start + length])
        start += length
    return JpegPayload(
        offset, kind, q, 8 * width, 8 * height, restart_interval, precision, tables, view[start:]
    )


@lru_cache(maxsize=99)
def quantization_tables(q: int) -> bytes:
    """Compute the two quantization tables of a Q below `IN_BAND_TABLES`.

    :param q: 1 (worst) to 99; 100 to 127 are reserved.
    :returns: luminance, then chrominance, 64 bytes each.
    :raises WireError: another Q.

    Source: RFC 2435 §4.2, Appendix A.
    """
    if not 1 <= q <= 99:
        raise WireError(f"Q {q} stands for no tables", source="RFC 2435 §4.2")
    factor = 5000 // q if q < 50 else 200 - 2 * q
    return bytes(
        min(max((entry * factor + 50) // 100, 1), 255)
        for entry in LUMA_QUANTIZER + CHROMA_QUANTIZER
    )


def build_jpeg_header(
    kind: int,
    width: int,
    height: int,
    tables: bytes,
    *,
    precision: int = 0,
    restart_interval: int = 0,
) -> bytes:
    """Build the beginning of a JFIF file, up to the scan.

    :param kind: 0 or 1, or 64 more.
    :param width: in pixels, 1 to 65535.
    :param height: in pixels, 1 to 65535.
    :param tables: one quantization table for all components, or that of luminance and that of
        chrominance; more are left out.
    :param precision: bit `i` is set if table `i` has 16-bit entries.
    :param restart_interval: in MCUs; 0 without restart markers.
    :raises WireError: another type, no size, or not the bytes of one or two tables.

    Source: RFC 2435 Appendix B.
    """
    sampling = _LUMA_SAMPLING.get(kind - 64 if kind in RESTART_TYPES else kind)
    if sampling is None or not (0 < width < 65536 and 0 < height < 65536):
        raise WireError(f"JPEG type {kind} of {width}x{height}", source="RFC 2435 §4.1")
    quantizers = _split_tables(tables, precision)
    second = len(quantizers) - 1
    frame = struct.pack("!BHHB", 8, height, width, 3)
    components = bytes([1, sampling, 0, 2, 0x11, second, 3, 0x11, second])
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\0" + bytes([1, 1, 0, 0, 1, 0, 1, 0, 0])),
            *(_segment(0xDB, table) for table in quantizers),
            _segment(0xDD, restart_interval.to_bytes(2, "big")) if restart_interval else b"",
            _segment(0xC1 if precision & 3 else 0xC0, frame + components),
            HUFFMAN_SEGMENTS,
            _segment(0xDA, bytes([3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0])),
        )
    )


def _split_tables(tables: bytes, precision: int) -> list[bytes]:
    """Take tables apart, each behind a byte of precision and number as DQT has them."""
    split: list[bytes] = []
    start = 0
    while start < len(tables) and len(split) < 2:
        wide = precision >> len(split) & 1
        end = start + TABLE_ENTRIES * (1 + wide)
        if end > len(tables):
            break
        split.append(bytes([wide << 4 | len(split)]) + tables[start:end])
        start = end
    if not split or (start < len(tables) and len(split) < 2):
        raise WireError(f"{len(tables)} bytes of tables", source="RFC 2435 §3.1.8")
    return split


def _segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + (2 + len(body)).to_bytes(2, "big") + body
