"""Motion JPEG out of RTP (RFC 2435): the scan from the packets, the headers before it made anew.

The parts of a picture tell where they belong; one that does not follow the part before it breaks
the picture. The marker ends a picture, and so does another timestamp. The quantization tables come
with each picture, or once for each Q from 128 to 254, or are computed from Q.

Pictures wider or higher than 2040 pixels do not fit the header (0 stands there) and are refused.
"""

from collections.abc import Sequence

from axis_nvr.errors import WireError
from axis_nvr.media.formats import jpeg_format
from axis_nvr.media.units import VideoFormat
from axis_nvr.session.depacketizers.base import Frame
from axis_nvr.wire.jpeg import (
    END_OF_IMAGE,
    IN_BAND_TABLES,
    JpegPayload,
    build_jpeg_header,
    parse_jpeg_payload,
    quantization_tables,
)

#: The scan of one picture, in bytes: what the fragment offset can tell.
MAX_SCAN_BYTES = 1 << 24
#: The Q whose tables may not be used for another picture.
CHANGING_TABLES = 255


class JpegDepacketizer:
    """Makes JPEG pictures of RTP payloads.

    :ivar format: of the last picture; None before the first.
    """

    def __init__(self) -> None:
        self.discarded_units = 0
        self.suspected_encrypted = False
        self.format: VideoFormat | None = None
        self._picture = bytearray()  # header and scan
        self._header_bytes = 0
        self._size = (0, 0)
        self._timestamp: int | None = None
        self._broken = False
        self._frames: list[Frame] = []
        self._lost, self._damaged = 0, False
        self._tables: dict[int, tuple[bytes, int]] = {}  # of each Q from 128 to 254

    def push(self, payload: memoryview, timestamp: int, marker: bool, lost: int) -> Sequence[Frame]:
        """Take one payload."""
        if lost:
            self._broken = self._broken or bool(self._picture)
        if timestamp != self._timestamp:
            self._finish()
            self._timestamp = timestamp
        self._lost += lost
        if payload:
            self._take(parse_jpeg_payload(payload))
        if marker:
            self._finish()
        frames, self._frames = self._frames, []
        return frames

    def damage(self) -> None:
        """Give up the open picture."""
        self._broken = True

    def flush(self) -> Sequence[Frame]:
        """Return a last picture without mark only if it has its end."""
        if self._picture and not self._picture.endswith(END_OF_IMAGE):
            self._broken = True
        self._finish()
        frames, self._frames = self._frames, []
        return frames

    def _take(self, part: JpegPayload) -> None:
        if self._broken:
            return
        if part.fragment_offset == 0 and not self._picture:
            tables, precision = self._tables_of(part)
            self._picture += build_jpeg_header(
                part.type,
                part.width,
                part.height,
                tables,
                precision=precision,
                restart_interval=part.restart_interval,
            )
            self._header_bytes = len(self._picture)
            self._size = (part.width, part.height)
        if part.fragment_offset != len(self._picture) - self._header_bytes or not self._picture:
            self._broken = True
            return
        self._picture += part.scan
        if len(self._picture) > MAX_SCAN_BYTES:
            self._broken = True
            self._picture.clear()

    def _tables_of(self, part: JpegPayload) -> tuple[bytes, int]:
        """Give the quantization tables of a picture, and their precision."""
        if part.q < IN_BAND_TABLES:
            return quantization_tables(part.q), 0
        if part.tables:
            if part.q != CHANGING_TABLES:
                self._tables[part.q] = part.tables, part.precision
            return part.tables, part.precision
        if part.q not in self._tables:
            raise WireError(f"no tables for Q {part.q} yet", source="RFC 2435 §3.1.8")
        return self._tables[part.q]

    def _finish(self) -> None:
        """Hand the picture out, or throw it away."""
        if self._picture and not self._broken:
            self.format = jpeg_format(*self._size)
            if not self._picture.endswith(END_OF_IMAGE):
                self._picture += END_OF_IMAGE
            assert self._timestamp is not None
            self._frames.append(
                Frame(self._timestamp, self._picture, True, self.format, self._lost, self._damaged)
            )
            self._lost, self._damaged = 0, False
        elif self._picture or self._broken:
            self.discarded_units += 1
            self._damaged = True
        self._picture = bytearray()
        self._broken = False
