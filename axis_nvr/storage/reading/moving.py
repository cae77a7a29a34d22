"""Groups of a block as they go into another Matroska file: read, checked, moved in time.

How long a group becomes is known before its media is read, from where it is in the file alone if we
wrote the block, else from the fronts of its clusters. What turns out to be broken when it is read
is replaced by as many bytes of Void, which players pass over; so the file that is made is as long
as was told, whatever happens to the disk meanwhile.
"""

from collections.abc import Iterator
from typing import NamedTuple

from axis_nvr.errors import NvrError, WireError
from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.storage.reading.blocks import Group
from axis_nvr.storage.reading.headers import CLUSTER_ID
from axis_nvr.storage.reading.parts import Part
from axis_nvr.wire.ebml import build_void, parse_header
from axis_nvr.wire.matroska_elements import SEGMENT_CHILDREN, Id
from axis_nvr.wire.matroska_move import HEAD_BYTES, Move, move_cluster, read_front

Piece = bytes | bytearray | memoryview


class Moved(NamedTuple):
    """A group as it goes into another file.

    :ivar pieces: all of it, as long as was told.
    :ivar problem: what was wrong with it; empty if nothing was.
    """

    pieces: list[Piece]
    problem: str


class _Reading:
    """A block's file, open for some reads."""

    def __init__(self, files: IFiles, part: Part) -> None:
        self._files, self._path = files, part.path
        with storage_errors(self._path, "open a block"):
            self._fd = files.open_read(self._path)

    def __enter__(self) -> "_Reading":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close(self._fd)

    def read(self, size: int, offset: int) -> bytes:
        with storage_errors(self._path, "read a block"):
            return self._files.pread(self._fd, size, offset)


def read_first_cluster(files: IFiles, part: Part) -> bytes:
    """Read the first cluster of a part; nothing if it is broken.

    :raises StorageError: the file cannot be read.
    """
    with _Reading(files, part) as file:
        try:
            end = read_front(file.read(HEAD_BYTES, part.offset)).end
        except WireError:
            return b""
        return file.read(min(end, part.end - part.offset), part.offset)


def is_own(files: IFiles, part: Part) -> bool:
    """Tell whether clusters are as we write them: they keep their length when they are moved.

    :raises StorageError: the file cannot be read.
    """
    with _Reading(files, part) as file:
        data = file.read(HEAD_BYTES, part.offset)
    try:
        return read_front(data).growth == 0 and data[12:14] == b"\xbf\x84"
    except WireError:
        return True  # it is replaced by Void of the same length, wherever it came from


def growths(files: IFiles, part: Part) -> list[int]:
    """Tell by how many bytes each group grows that another writer wrote.

    :raises StorageError: the file cannot be read.
    """
    with _Reading(files, part) as file:
        return [sum(_growths(file, group)) for group in part.groups]


def _growths(file: _Reading, group: Group) -> Iterator[int]:
    offset = group.offset
    while offset < group.end:
        try:
            front = read_front(file.read(HEAD_BYTES, offset))
        except WireError:
            return
        yield front.growth
        offset += front.end


def move_group(files: IFiles, part: Part, group: Group, move: Move, size: int) -> Moved:
    """Read a group and move it.

    :param size: how many bytes it is to be.
    """
    try:
        with _Reading(files, part) as file:
            data = file.read(group.end - group.offset, group.offset)
    except NvrError as error:
        return Moved([build_void(size)], str(error))
    pieces, problem = _moved(data, part, group.offset, move)
    if len(data) < group.end - group.offset:
        problem = problem or "the file ends early"
    missing = size - sum(map(len, pieces))
    if missing < 0 or missing == 1:  # nothing in EBML is one byte long
        return Moved([build_void(size)], problem or "it is not what it was")
    if missing:
        pieces.append(build_void(missing))
    return Moved(pieces, problem)


def _moved(data: bytes, part: Part, place: int, move: Move) -> tuple[list[Piece], str]:
    """Move the clusters of a group, one after another; what else there is, is not kept."""
    pieces: list[Piece] = []
    problem, at = "", 0
    while at < len(data):
        end = _end_of(data, at)
        if end is not None and _is_damaged(part, place + at, place + end):
            problem = f"damage noted at byte {place + at}"
        elif end is not None and data.startswith(CLUSTER_ID, at):
            try:
                whole = data if (at, end) == (0, len(data)) else data[at:end]
                pieces += move_cluster(whole, move)
                at = end
                continue
            except WireError as error:
                problem = f"byte {place + at}: {error}"
                end = None  # the size of what is broken may be broken too
        elif end is None:
            problem = f"no whole cluster at byte {place + at}"
        at = data.find(CLUSTER_ID, at + 1) if end is None else end
        at = len(data) if at < 0 else at
    return pieces, problem


def _end_of(data: bytes, at: int) -> int | None:
    """Tell where an element that may stand between clusters ends; None if it is broken."""
    try:
        header = parse_header(data, at)
    except WireError:
        return None
    if header.size is None or (header.id not in SEGMENT_CHILDREN and header.id != Id.VOID):
        return None
    end = header.data_offset + header.size
    return end if end <= len(data) else None


def _is_damaged(part: Part, offset: int, end: int) -> bool:
    return any(bad.offset < end and offset < bad.end for bad in part.damaged)
