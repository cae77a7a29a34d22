"""Motion JPEG in RTP (RFC 2435): the scan in parts, the headers left out.

Each picture brings its quantization tables with it (Q 255), so that none depends on another.
"""

import struct

from axis_nvr.errors import WireError
from axis_nvr.wire.jpeg_picture import parse_jpeg_picture

#: The Q whose tables come with each picture (RFC 2435 §4.2).
TABLES_WITH_EACH = 255
#: What the fragment offset can tell, in bytes.
MAX_SCAN_BYTES = 1 << 24
#: The smallest part of a scan that is sent, in bytes: parts must make progress.
MIN_PART_BYTES = 64
#: Added to the type where there are restart markers.
_WITH_RESTARTS = 64
#: First and last part of an interval at once, which interval is not told (RFC 2435 §3.1.7).
_UNALIGNED = 0xFFFF

_MAIN = struct.Struct("!IBBBB")


def packetize(picture: bytes | bytearray | memoryview, limit: int) -> list[bytes]:
    """Lay one picture into RTP payloads; the last one bears the marker.

    :param picture: a JPEG file.
    :param limit: bytes of the largest payload, the RTP header not counted.
    :raises WireError: RTP cannot carry it, see `parse_jpeg_picture`.
    """
    parsed = parse_jpeg_picture(picture)
    if len(parsed.scan) >= MAX_SCAN_BYTES:
        raise WireError(f"a JPEG scan of {len(parsed.scan)} bytes", source="RFC 2435 §3.1.2")
    kind = parsed.type + (_WITH_RESTARTS if parsed.restart_interval else 0)
    size = (parsed.width + 7) // 8, (parsed.height + 7) // 8
    restart = struct.pack("!HH", parsed.restart_interval, _UNALIGNED)
    fixed = restart if parsed.restart_interval else b""
    tables = struct.pack("!xBH", parsed.precision, len(parsed.tables)) + parsed.tables
    made: list[bytes] = []
    place = 0
    while place < len(parsed.scan) or not made:
        head = _MAIN.pack(place, kind, TABLES_WITH_EACH, *size) + fixed
        if not made:
            head += tables
        end = place + max(MIN_PART_BYTES, limit - len(head))
        made.append(b"".join((head, parsed.scan[place:end])))
        place = end
    return made
