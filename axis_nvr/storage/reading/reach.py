"""How far back the recordings of a disk reach, and how much was recorded lately."""

from pathlib import Path
from typing import NamedTuple

from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import parse_utc
from axis_nvr.storage.retention.usage import used_bytes
from axis_nvr.storage.schema import REBUILD_STATE


class Reach(NamedTuple):
    """What the blocks of a disk tell.

    :ivar since_us: when the oldest one begins: UTC, microseconds since 1970; None: there is none.
    :ivar recent_bytes: what those take that began lately.
    :ivar all_bytes: what all of them take; None: it was not asked for.
    """

    since_us: int | None
    recent_bytes: int
    all_bytes: int | None = None


def look_at_reach(
    index: Index, files: IFiles, folder: Path, recent_us: int, *, with_all: bool
) -> Reach | None:
    """Look how far back recordings reach: one step in the index, and the rows of lately.

    :param folder: the disk's.
    :param recent_us: from when on it is lately.
    :param with_all: count all blocks too, which takes the longer the more there are.
    :returns: None while the index is being made anew: what is oldest in it may not be the oldest.
    :raises StorageError: the index cannot be read.
    """
    if index.state(REBUILD_STATE) is not None:
        return None
    oldest = index.first("SELECT starttime FROM blocks WHERE starttime > '' ORDER BY 1 LIMIT 1")
    return Reach(
        since_us=None if oldest is None else parse_utc(oldest[0]),
        recent_bytes=used_bytes(files, folder, index, since_us=recent_us),
        all_bytes=used_bytes(files, folder, index) if with_all else None,
    )
