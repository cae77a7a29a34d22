"""Looking for recordings that were begun and that the index does not know.

Recordings and blocks wait before the index is told of them. What is not there stands in the folder
of an hour behind the index's horizon (`axis_nvr.storage.horizon`). An index of an earlier version
has none: then near the last rows that were added, or near now. Names are local time; the clock may
have stepped, and summer time ends once a year: so hours from a day before the earliest of these on
are looked at, and not the whole tree.

A disk that refuses a group may refuse to remove its file too, and the recorder is then stopped in
order: the index is none the wiser. Such a file is in a recording that was written last.

What lies further off is found by ``axis-nvr check``.
"""

from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path

from axis_nvr.storage.files import EntryKind
from axis_nvr.storage.horizon import read_horizon
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import (
    is_day_folder,
    is_hour_folder,
    is_recording_id,
    local_stamp,
    parse_utc,
    recording_path,
)
from axis_nvr.storage.repair.adoption import entries

#: Rows added last whose times are looked at.
NEWEST_ROWS = 64
#: How far names may be from the times of rows: as far as two zones are, and two hours.
MARGIN_US = 28 * 3600 * 1_000_000


def hour_to_begin_from(index: Index, now: float, zone: tzinfo | None) -> str:
    """Give the first hour, ``YYYYMMDD_HH``, in whose folder something unknown may be.

    :param now: the UTC clock, seconds since 1970.
    :param zone: whose local time names are in; None is this machine's.
    """
    times = [*_newest_starts(index), int(now * 1e6)]
    first = local_stamp(max(0, min(times) - MARGIN_US), zone)[:11]
    horizon = read_horizon(index)
    return first if horizon is None else min(first, horizon)


def _newest_starts(index: Index) -> Iterator[int]:
    for table in ("recordings", "blocks"):
        rows = index.query(
            f"SELECT starttime FROM {table} ORDER BY id DESC LIMIT {NEWEST_ROWS}"  # noqa: S608
        )
        for (start,) in rows:
            if start is not None:
                yield parse_utc(start)


def recordings_written_last(index: Index, upto: int) -> list[str]:
    """Name recordings that have ended and that the blocks added last are of.

    :param upto: no row of ``recordings`` behind this one.
    """
    rows = index.query(
        "SELECT DISTINCT r.filename FROM recordings r"
        " JOIN (SELECT recording_id FROM blocks ORDER BY id DESC LIMIT ?) b"
        " ON r.id = b.recording_id WHERE r.stoptime IS NOT NULL AND r.id <= ?",
        *(NEWEST_ROWS, upto),
    )
    return [name for (name,) in rows if is_recording_id(name)]


def hour_folders(premises: Premises, since: str = "") -> Iterator[Path]:
    """Give the folders of hours, oldest first, by their names.

    :param since: none before this hour, ``YYYYMMDD_HH``.
    """
    for day, kind in entries(premises.files, premises.folder):
        if kind is EntryKind.FOLDER and is_day_folder(day) and day >= since[:8]:
            for hour, kind_ in entries(premises.files, premises.folder / day):
                is_hour = kind_ is EntryKind.FOLDER and is_hour_folder(hour)
                if is_hour and f"{day}_{hour}" >= since:
                    yield premises.folder / day / hour


def recording_folders(premises: Premises, hour: Path) -> Iterator[Path]:
    """Give the folders of recordings in an hour's."""
    for name, kind in entries(premises.files, hour):
        is_recording = kind is EntryKind.FOLDER and is_recording_id(name)
        if is_recording and recording_path(name) == f"{hour.parent.name}/{hour.name}":
            yield hour / name


def is_stray(premises: Premises, recording: Path) -> bool:
    """Tell whether a recording that was found is neither known nor being written.

    In this order: one that ends in between is in the index by then.
    """
    if recording.name in premises.running():
        return False
    return not premises.index.name_taken(recording.name)
