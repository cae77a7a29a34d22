"""Making anew what stands before a block's Tracks, where that alone is damaged.

Info and Tracks carry checks of their own; where both are whole, the rest of the front follows from
them and from where Cues and Tags are. Readers refuse a file whose front is broken; so for looking
through it, an open block's front is put in its place, in memory only.
"""

from pathlib import Path
from typing import Any

from axis_nvr.errors import NvrError, StorageError, WireError
from axis_nvr.storage.block_reader import BlockReader, Span
from axis_nvr.storage.checking.content import OUR_MUXER, front_of
from axis_nvr.storage.checking.elements import ElementWalk
from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.wire.ebml import encode_id, parse_header
from axis_nvr.wire.matroska import Info, build_front
from axis_nvr.wire.matroska_elements import Id
from axis_nvr.wire.matroska_reader import check_crc, parse_info, parse_tracks

#: Info and Tracks are looked for in so many bytes at the file's beginning.
HEAD_BYTES = 1 << 16


class _Overlaid:
    """A disk on which every file begins with other bytes than it does."""

    def __init__(self, files: IFiles, front: bytes) -> None:
        self._files = files
        self._front = front

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Read, the front from memory."""
        data = self._files.pread(fd, size, offset)
        covered = self._front[offset : offset + len(data)]
        return covered + data[len(covered) :]


def salvage_front(files: IFiles, path: Path) -> bytes | None:
    """Give the front that a closed block of ours must have; None if it cannot be told.

    :raises StorageError: the disk does not give it.
    """
    with storage_errors(path, "read a block"):
        fd = files.open_read(path)
        try:
            head = files.pread(fd, HEAD_BYTES, 0)
        finally:
            files.close(fd)
    found = _info_before_tracks(head)
    if found is None:
        return None
    info, version, tracks_at = found
    open_info = Info(info.date_us, info.muxing_app, info.writing_app)
    provisional = build_front(open_info, version=version).data
    if len(provisional) != tracks_at:
        return None
    overlaid: Any = _Overlaid(files, provisional)
    try:
        with BlockReader(overlaid, path) as block:
            walk = ElementWalk(block, block.size_bytes, is_ours=True)
            front = front_of(block, [span for span in walk if isinstance(span, Span)], info)
    except StorageError:
        raise
    except NvrError:
        return None
    return front if front is not None and len(front) == tracks_at else None


def _info_before_tracks(head: bytes) -> tuple[Info, int, int] | None:
    """Find a closed block's Info with its Tracks behind it: Info, version, where Tracks begin."""
    wanted = encode_id(Id.INFO)
    at = head.find(wanted)
    while at >= 0:
        try:
            info_data, tracks_at = _checked(head, at, Id.INFO)
            info = parse_info(info_data)
            tracks = parse_tracks(_checked(head, tracks_at, Id.TRACKS)[0])
            if info.muxing_app == OUR_MUXER and info.duration_ms is not None:
                version = 4 if any(track.seek_pre_roll_ns for track in tracks) else 2
                return info, version, tracks_at
        except WireError:
            pass
        at = head.find(wanted, at + 1)
    return None


def _checked(head: bytes, at: int, wanted: Id) -> tuple[bytes, int]:
    """Give the data of an element whose check holds, and where it ends."""
    header = parse_header(head, at)
    end = header.data_offset + (header.size or 0)
    data = head[header.data_offset : end]
    if header.id != wanted or end > len(head) or check_crc(data) is not True:
        raise WireError("no such element that is whole", offset=at)
    return data, end
