"""Finding one's way through a block's file, also behind damage.

An element says how long it is, and so where the next one begins; when those few bytes are damaged,
all that follows is lost with them unless it is looked for. It is: an element counts where its end
is the beginning of another one, or the end of the file.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from axis_nvr.errors import StorageError, WireError
from axis_nvr.storage.block_reader import BlockReader, Span
from axis_nvr.wire.ebml import MAX_ID_BYTES, MAX_SIZE_BYTES, encode_id, parse_header
from axis_nvr.wire.matroska_elements import Id

#: What stands behind Tracks in the blocks that we write.
EXPECTED = frozenset((Id.CLUSTER, Id.CUES, Id.TAGS, Id.VOID))
#: The same, where another recorder wrote it: Chapters and Attachments too (RFC 9559 §5.1).
KNOWN = EXPECTED | {Id.SEEK_HEAD, Id.INFO, Id.TRACKS, 0x1043A770, 0x1941A469}
#: Elements of one block; there are some hundreds.
MAX_ELEMENTS = 100_000
#: Places of one block that look like an element and are looked into behind damage.
MAX_TRIES = 100_000
#: Bytes read at once in search of an element.
_SEARCH_BYTES = 1 << 20
#: The same where more cannot be read: bytes that are passed over if they cannot be read either.
_SKIPPED_BYTES = 4096
_HEADER_BYTES = MAX_ID_BYTES + MAX_SIZE_BYTES
_WANTED = tuple(encode_id(element_id) for element_id in (Id.CLUSTER, Id.CUES, Id.TAGS))


class Hole(NamedTuple):
    """Bytes that are no elements; `is_tail` if nothing comes after them."""

    offset: int
    end: int
    is_tail: bool


class ElementWalk:
    """The elements behind a block's head.

    :param end: where they end: the file's length, or what of it is known to be good.
    :param is_ours: whether nothing but `EXPECTED` can stand there.
    """

    def __init__(self, block: BlockReader, end: int, *, is_ours: bool) -> None:
        self._block = block
        self._end = end
        self._ids = EXPECTED if is_ours else KNOWN
        self._tries = 0

    def __iter__(self) -> Iterator[Span | Hole]:
        offset, count = self._block.first_cluster, 0
        while offset < self._end:
            count += 1
            span = self._element(offset)
            if span is None or not self._is_trusted(span):
                found = None if count > MAX_ELEMENTS else self._search(offset + 1)
                end = self._end if found is None else found
                yield Hole(offset, end, is_tail=found is None)
                offset = end
            else:
                yield span
                offset = span.end

    def _element(self, offset: int) -> Span | None:
        """Give the element at a place, None if there is none that is whole."""
        try:
            header = parse_header(self._block.read_at(_HEADER_BYTES, offset))
        except (WireError, StorageError):
            return None
        if header.size is None or header.id not in self._ids:
            return None
        begin = offset + header.data_offset
        end = begin + header.size
        return Span(header.id, offset, begin, end) if end <= self._end else None

    def _is_trusted(self, span: Span) -> bool:
        """Tell whether what an element says of its length is believable."""
        if span.end == self._end or self._begins(span.end):
            return True
        if span.id != Id.CLUSTER:
            return True
        try:
            return self._block.read_cluster(span).checked is True
        except (WireError, StorageError):
            return False

    def _begins(self, offset: int) -> bool:
        """Tell whether an element seems to begin at a place; its size may be beyond the end."""
        try:
            header = parse_header(self._block.read_at(_HEADER_BYTES, offset))
        except (WireError, StorageError):
            return False
        return header.id in self._ids

    def _search(self, offset: int) -> int | None:
        """Find the next place where a cluster, Cues or Tags begin and end as they should."""
        overlap = MAX_ID_BYTES - 1
        while offset < self._end:
            data = self._read_in_search(offset)
            if data is None:  # the disk does not give these bytes
                offset += _SKIPPED_BYTES
                continue
            if len(data) <= overlap:
                return None
            for at in _places(data):
                self._tries += 1
                if self._tries > MAX_TRIES:
                    return None
                span = self._element(offset + at)
                if span is not None and (span.end == self._end or self._begins(span.end)):
                    return offset + at
            offset += len(data) - overlap
        return None

    def _read_in_search(self, offset: int) -> bytes | None:
        for size in (_SEARCH_BYTES, _SKIPPED_BYTES):
            with suppress(StorageError):
                return self._block.read_at(min(size, self._end - offset), offset)
        return None


def _places(data: bytes) -> list[int]:
    """Give where one of the wanted IDs stands, in order."""
    places = []
    for wanted in _WANTED:
        at = data.find(wanted)
        while at >= 0:
            places.append(at)
            at = data.find(wanted, at + 1)
    return sorted(places)
