"""A short look at a block that is whole: how long it is, and what its tags tell.

Two reads: the front, whose SeekHead says where the Tags are, and those. Nothing else of a block is
needed to take it into the index, since its XML tells the rest; a disk of half a million blocks is
gone through so.
"""

from pathlib import Path

from axis_nvr.errors import WireError
from axis_nvr.media.units import Gap
from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.storage.repair.front import seeks_of
from axis_nvr.storage.repair.gap_tags import gaps_of_tags
from axis_nvr.wire.ebml import parse_header
from axis_nvr.wire.matroska_elements import Id
from axis_nvr.wire.matroska_reader import parse_tags

#: Bytes of the front that are read; SeekHead is at its beginning.
FRONT_BYTES = 512
#: Bytes of the largest Tags read.
MAX_TAGS_BYTES = 1 << 20


def glance(files: IFiles, path: Path) -> tuple[int, tuple[Gap, ...]]:
    """Tell a whole block's length, and the gaps that its tags tell, as far as they can be read.

    :raises StorageError: the disk does not let us.
    """
    with storage_errors(path, "read a block"):
        fd = files.open_read(path)
        try:
            size_bytes = files.size(fd)
            front = files.pread(fd, FRONT_BYTES, 0)
            place = _tags_place(front)
            data = b"" if place is None else files.pread(fd, MAX_TAGS_BYTES, place)
        finally:
            files.close(fd)
    return size_bytes, _gaps(data)


def _tags_place(front: bytes) -> int | None:
    """Tell where a block's Tags are in its file; None if it has none."""
    try:
        ebml = parse_header(front)
        at = ebml.data_offset + (ebml.size or 0)
        segment = parse_header(front, at)
        head = parse_header(front, segment.data_offset)
    except WireError:
        return None
    if ebml.id != Id.EBML or segment.id != Id.SEGMENT or head.id != Id.SEEK_HEAD:
        return None
    seeks = seeks_of(front[head.data_offset : head.data_offset + (head.size or 0)])
    place = seeks.get(Id.TAGS)
    return None if place is None or place >= 1 << 62 else segment.data_offset + place


def _gaps(data: bytes) -> tuple[Gap, ...]:
    try:
        header = parse_header(data)
        if header.id != Id.TAGS or header.size is None:
            return ()
        tags = data[header.data_offset : header.data_offset + header.size]
        return gaps_of_tags(parse_tags(tags)) if len(tags) == header.size else ()
    except WireError:
        return ()
