"""Reading a block's file: head, clusters one by one, Cues. Open and damaged blocks are read too."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.wire.ebml import MAX_ID_BYTES, MAX_SIZE_BYTES, ElementHeader, parse_header
from axis_nvr.wire.matroska import CuePoint, Info, Track
from axis_nvr.wire.matroska_elements import Id
from axis_nvr.wire.matroska_reader import (
    Cluster,
    check_crc,
    check_doc_type,
    parse_cluster,
    parse_cues,
    parse_info,
    parse_tags,
    parse_tracks,
)

#: Bytes of the largest element read whole that is no cluster: Info, Tracks, Cues, Tags.
MAX_ELEMENT_BYTES = 16 << 20
#: Bytes of the largest cluster read.
MAX_CLUSTER_BYTES = 256 << 20
#: Elements in front of the first cluster.
MAX_HEAD_ELEMENTS = 64
_MAX_HEADER_BYTES = MAX_ID_BYTES + MAX_SIZE_BYTES


class Span(NamedTuple):
    """Where an element of the Segment is in the file: its first byte, its data, its end."""

    id: int
    offset: int
    data_offset: int
    end: int


class BlockReader:
    """Reads one block; a context manager that closes the file.

    :raises StorageError: it cannot be opened.
    :raises WireError: its beginning is not that of a block.
    :ivar size_bytes: how long the file was when it was opened.
    :ivar segment_start: what positions in Cues count from.
    :ivar segment_end: where the Segment ends as it says itself; None while it is open.
    :ivar first_cluster: where the first cluster begins, or would.
    """

    def __init__(self, files: IFiles, path: Path) -> None:
        self._files = files
        self._path = path
        self.info: Info | None = None
        self.tracks: tuple[Track, ...] = ()
        with storage_errors(path, "open a block"):
            self._fd = files.open_read(path)
        try:
            self._read_head()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "BlockReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._files.close(self._fd)

    def _pread(self, size: int, offset: int) -> bytes:
        with storage_errors(self._path, "read a block"):
            return self._files.pread(self._fd, size, offset)

    def read_at(self, size: int, offset: int) -> bytes:
        """Read bytes of the file as they are; less than asked for at its end.

        :raises StorageError: the disk does not give them.
        """
        return self._pread(size, offset)

    def read_checked(self, span: Span) -> bytes:
        """Read the data of an element that is no cluster.

        :raises WireError: it is too long, or does not match its CRC-32.
        """
        return self._checked(span)

    def _header(self, offset: int) -> ElementHeader:
        header = parse_header(self._pread(_MAX_HEADER_BYTES, offset))
        return header._replace(data_offset=offset + header.data_offset)

    def _read_head(self) -> None:
        with storage_errors(self._path, "open a block"):
            self.size_bytes = self._files.size(self._fd)
        header = self._header(0)
        if header.id != Id.EBML or header.size is None:
            raise WireError("no EBML header", offset=0, source="RFC 8794 §11.2")
        end = header.data_offset + header.size
        check_doc_type(self._data(Span(header.id, 0, header.data_offset, end)))
        segment = self._header(end)
        if segment.id != Id.SEGMENT:
            raise WireError("no Segment", offset=end, source="RFC 9559 §5.1")
        self.segment_start = segment.data_offset
        self.segment_end = None if segment.size is None else segment.data_offset + segment.size
        self.first_cluster = self._read_until_cluster(self.segment_start)

    def _read_until_cluster(self, offset: int) -> int:
        for _ in range(MAX_HEAD_ELEMENTS):
            span = self._span(offset)
            if span is None or span.id == Id.CLUSTER:
                break
            if span.id == Id.SEEK_HEAD:
                self._checked(span)
            elif span.id == Id.INFO:
                self.info = parse_info(self._checked(span))
            elif span.id == Id.TRACKS:
                self.tracks = parse_tracks(self._checked(span))
            offset = span.end
        return offset

    def _span(self, offset: int) -> Span | None:
        """Give the element at a place, None if it is not whole or of unknown size."""
        end = self.size_bytes if self.segment_end is None else self.segment_end
        try:
            header = self._header(offset)
        except WireError:
            return None
        if header.size is None or header.data_offset + header.size > min(end, self.size_bytes):
            return None
        return Span(header.id, offset, header.data_offset, header.data_offset + header.size)

    def _data(self, span: Span, limit: int = MAX_ELEMENT_BYTES) -> bytes:
        size = span.end - span.data_offset
        if size > limit:
            raise WireError(f"element {span.id:#x} of {size} bytes", offset=span.offset)
        data = self._pread(size, span.data_offset)
        if len(data) < size:
            raise WireError(f"element {span.id:#x} is cut", offset=span.offset)
        return data

    def _checked(self, span: Span) -> bytes:
        data = self._data(span)
        if check_crc(data) is False:
            raise WireError(f"element {span.id:#x} does not match its CRC-32", offset=span.offset)
        return data

    def spans(self) -> Iterator[Span]:
        """Give what stands behind the head, whole elements only, clusters and others."""
        offset = self.first_cluster
        while (span := self._span(offset)) is not None:
            yield span
            offset = span.end

    def clusters(self) -> Iterator[Span]:
        """Give the clusters, whole ones only."""
        return (span for span in self.spans() if span.id == Id.CLUSTER)

    def read_cluster(self, span: Span) -> Cluster:
        """Read a cluster; its frames are views of memory of its own.

        :raises WireError: it is broken. A CRC-32 that does not match raises nothing.
        """
        return parse_cluster(self._data(span, MAX_CLUSTER_BYTES))

    def cues(self) -> list[CuePoint] | None:
        """Read the Cues; None if there are none, as in an open block.

        :raises WireError: they are broken or do not match their CRC-32.
        """
        for span in self.spans():
            if span.id == Id.CUES:
                return parse_cues(self._checked(span))
        return None

    def tags(self) -> list[tuple[str, str]]:
        """Read the tags.

        :raises WireError: they are broken or do not match their CRC-32.
        """
        for span in self.spans():
            if span.id == Id.TAGS:
                return parse_tags(self._checked(span))
        return []
