"""A JPEG picture as RTP can carry it: what RFC 2435 has fields for, and nothing else.

::

    SOI | APPn, COM: left out | DQT … | DRI | SOF0, SOF1 | DHT: the standard's | SOS | scan | EOI

The receiver makes the headers anew from the RTP header (`axis_nvr.wire.jpeg.build_jpeg_header`), so
a picture that is not of three components in one sequential scan, sampled 4:2:2 or 4:2:0 and coded
with the Huffman tables of the JPEG standard, would come out as another one and is refused.

Source: ITU-T T.81 §B.2; RFC 2435 §3.1, §4.1.
"""

from collections.abc import Iterator
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.wire.jpeg import END_OF_IMAGE, TABLE_ENTRIES
from axis_nvr.wire.jpeg_tables import HUFFMAN_SEGMENTS

#: Width and height that the header of RFC 2435 can tell, in pixels.
MAX_SIDE_PIXELS = 255 * 8
#: Marker segments of one picture.
MAX_SEGMENTS = 64

_SOI = b"\xff\xd8"
_DHT, _DQT, _DRI, _SOS = 0xC4, 0xDB, 0xDD, 0xDA
_SEQUENTIAL = (0xC0, 0xC1)
#: Every other kind of frame: progressive, lossless, arithmetic.
_OTHER_FRAMES = frozenset({*range(0xC2, 0xD0)} - {_DHT, 0xC8, 0xCC})
#: Sampling of the first component to the type of RFC 2435 §4.1.
_TYPES = {0x21: 0, 0x22: 1}
_SOURCE = "RFC 2435 §4.1"


class JpegPicture(NamedTuple):
    """A picture taken apart.

    :ivar type: 0 for 4:2:2, 1 for 4:2:0.
    :ivar width: in pixels.
    :ivar height: in pixels.
    :ivar restart_interval: in MCUs; 0 without restart markers.
    :ivar precision: bit `i` is set if table `i` has 16-bit entries.
    :ivar tables: the quantization table of luminance and that of chrominance.
    :ivar scan: a view of the entropy-coded bytes, the end of the image not among them.
    """

    type: int
    width: int
    height: int
    restart_interval: int
    precision: int
    tables: bytes
    scan: memoryview


class _Frame(NamedTuple):
    """What SOF tells: type, size, and the tables of luminance and chrominance."""

    type: int
    width: int
    height: int
    quantizers: tuple[int, int]


def parse_jpeg_picture(data: bytes | bytearray | memoryview) -> JpegPicture:
    """Take a picture apart without copying its scan.

    :raises WireError: it is no JPEG file, or none that RTP can carry.
    """
    view = memoryview(data)
    quantizers: dict[int, tuple[int, bytes]] = {}
    huffman: dict[int, bytes] = {}
    frame: _Frame | None = None
    restart_interval = 0
    for marker, body, end in _segments(view):
        if marker == _DQT:
            quantizers.update(_quantizers(bytes(body)))
        elif marker == _DHT:
            huffman.update(_huffman_tables(bytes(body)))
        elif marker == _DRI:
            restart_interval = int.from_bytes(body, "big")
        elif marker in _SEQUENTIAL:
            frame = _read_frame(bytes(body))
        elif marker in _OTHER_FRAMES:
            raise WireError(f"a JPEG frame of kind {marker:#04x}", source=_SOURCE)
        elif marker == _SOS:
            scan = view[end:]
            break
    else:
        raise WireError("a JPEG picture without a scan", offset=len(view), source="T.81 §B.2")
    if any(_STANDARD_HUFFMAN.get(name) != table for name, table in huffman.items()):
        raise WireError("a JPEG picture with Huffman tables of its own", source=_SOURCE)
    if frame is None or not set(frame.quantizers) <= quantizers.keys():
        raise WireError("a JPEG scan before its frame or tables", source="T.81 §B.2")
    luminance, chrominance = (quantizers[number] for number in frame.quantizers)
    return JpegPicture(
        frame.type,
        frame.width,
        frame.height,
        restart_interval,
        luminance[0] | chrominance[0] << 1,
        luminance[1] + chrominance[1],
        scan[: len(scan) - len(END_OF_IMAGE)] if scan[-2:] == END_OF_IMAGE else scan,
    )


def _segments(view: memoryview) -> Iterator[tuple[int, memoryview, int]]:
    """Give marker, body and end of each segment, the first scan's header the last of them."""
    if view[:2] != _SOI:
        raise WireError("no JPEG picture", offset=0, source="T.81 §B.2")
    place = 2
    for _ in range(MAX_SEGMENTS):
        while place + 1 < len(view) and view[place] == 0xFF and view[place + 1] == 0xFF:
            place += 1  # fill bytes
        head = view[place : place + 4]
        size = int.from_bytes(head[2:], "big")
        end = place + 2 + size
        if len(head) < 4 or head[0] != 0xFF or size < 2 or end > len(view):
            raise WireError("no JPEG marker segment", offset=place, source="T.81 §B.1.1.4")
        yield head[1], view[place + 4 : end], end
        if head[1] == _SOS:
            return
        place = end


def _quantizers(body: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """Give number, precision and entries of each table of a DQT segment."""
    place = 0
    while place < len(body):
        wide, number = body[place] >> 4, body[place] & 15
        end = place + 1 + TABLE_ENTRIES * (1 + wide)
        if wide > 1 or end > len(body):
            raise WireError("a quantization table cut off", offset=place, source="T.81 §B.2.4.1")
        yield number, (wide, body[place + 1 : end])
        place = end


def _huffman_tables(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Give class and number, and the codes, of each table of a DHT segment."""
    place = 0
    while place < len(body):
        end = place + 17 + sum(body[place + 1 : place + 17])
        if end > len(body):
            raise WireError("a Huffman table cut off", offset=place, source="T.81 §B.2.4.2")
        yield body[place], body[place + 1 : end]
        place = end


def _read_frame(body: bytes) -> _Frame:
    """Read SOF of three components whose second and third are not sampled more finely."""
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if len(body) != 15 or body[0] != 8 or body[5] != 3:
        raise WireError("a JPEG frame that is not of three components", source=_SOURCE)
    kind = _TYPES.get(body[7])
    if kind is None or (body[10], body[13]) != (0x11, 0x11) or body[11] != body[14]:
        raise WireError(f"a JPEG frame sampled {body[7]:#04x}", source=_SOURCE)
    if not (0 < width <= MAX_SIDE_PIXELS and 0 < height <= MAX_SIDE_PIXELS):
        raise WireError(f"a JPEG frame of {width}x{height}", source="RFC 2435 §3.1.5")
    return _Frame(kind, width, height, (body[8], body[11]))


def _standard_huffman() -> dict[int, bytes]:
    """Take the tables of the standard out of their segments."""
    found: dict[int, bytes] = {}
    place = 0
    while place < len(HUFFMAN_SEGMENTS):
        end = place + 2 + int.from_bytes(HUFFMAN_SEGMENTS[place + 2 : place + 4], "big")
        found.update(_huffman_tables(HUFFMAN_SEGMENTS[place + 4 : end]))
        place = end
    return found


_STANDARD_HUFFMAN = _standard_huffman()
