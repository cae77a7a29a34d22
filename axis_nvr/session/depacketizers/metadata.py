"""ONVIF metadata out of RTP (``vnd.onvif.metadata``): XML documents cut anywhere.

The marker ends a document, and so does another timestamp. A document that lacks a part is thrown
away; after a loss only what looks like the beginning of one is taken for it.

Source: ONVIF Streaming Specification §5.1.2.1.1.
"""

import re
from collections.abc import Sequence

from axis_nvr.media.units import MetadataFormat
from axis_nvr.session.depacketizers.base import NO_FRAMES, Frame

#: One document, in bytes.
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
#: How a document begins, a byte order mark before it or not.
_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml\s|(?:[\w.-]+:)?MetadataStream[\s>/])")


class MetadataDepacketizer:
    """Makes XML documents of RTP payloads."""

    def __init__(self) -> None:
        self.format = MetadataFormat()
        self.discarded_units = 0
        self.suspected_encrypted = False
        self._document = bytearray()
        self._timestamp: int | None = None
        self._broken = self._after_loss = False
        self._frames: list[Frame] = []
        self._lost, self._damaged = 0, False

    def push(self, payload: memoryview, timestamp: int, marker: bool, lost: int) -> Sequence[Frame]:
        """Take one payload."""
        if lost:
            self._broken = self._broken or bool(self._document)
            self._after_loss = True
        if timestamp != self._timestamp:
            self._finish()
            self._timestamp = timestamp
        self._lost += lost
        if self._after_loss and payload and not self._broken:
            self._broken = not _BEGINNING.match(payload)
            self._after_loss = False
        if len(self._document) + len(payload) > MAX_DOCUMENT_BYTES:
            self._broken = True
        if self._broken:
            self._document.clear()
        else:
            self._document += payload
        if marker:
            self._finish()
        if not self._frames:
            return NO_FRAMES
        frames, self._frames = self._frames, []
        return frames

    def damage(self) -> None:
        """Give up the open document."""
        self._broken = True

    def flush(self) -> Sequence[Frame]:
        """Return a last document without mark only if it is closed."""
        if self._document and not self._document.rstrip().endswith(b">"):
            self._broken = True
        self._finish()
        frames, self._frames = self._frames, []
        return frames

    def _finish(self) -> None:
        """Hand the document out, or throw it away."""
        if self._broken:
            self.discarded_units += 1
            self._damaged = True
        elif self._document:
            assert self._timestamp is not None
            self._frames.append(
                Frame(
                    self._timestamp,
                    bytes(self._document),
                    True,
                    self.format,
                    self._lost,
                    self._damaged,
                )
            )
            self._lost, self._damaged = 0, False
        self._document.clear()
        self._broken = False
