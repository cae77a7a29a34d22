"""The span of a lock: what was asked for, rounded out to whole groups of pictures.

A picture cannot be shown without the key frame before it. So a span begins at the key frame at or
before its start, and ends where the group that holds its end does; where groups are is told by the
block's Cues. An open block has none yet: there a span begins with the block, and ends where it was
asked to. Both only ever make a span longer.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from axis_nvr.errors import StorageError, StorageErrorKind, WireError
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import block_file, parse_utc, recording_folder, utc_text


class Recorded(NamedTuple):
    """A recording as far as a lock is concerned.

    :ivar row_id: of its row.
    :ivar stop_us: None while it runs.
    """

    row_id: int
    start_us: int | None
    stop_us: int | None


class _Block(NamedTuple):
    block_id: str
    start_us: int
    stop_us: int | None


def find_recording(index: Index, folder: Path, recording_id: str) -> Recorded:
    """Look a recording up.

    :raises StorageError: there is none.
    """
    query = "SELECT id, starttime, stoptime FROM recordings WHERE filename = ?"
    row = index.first(query, recording_id)
    if row is None:
        message = f"there is no recording {recording_id!r:.60}"
        raise StorageError(StorageErrorKind.ABSENT, folder, message)
    return Recorded(row[0], _time(row[1]), _time(row[2]))


def _time(text: str | None) -> int | None:
    return None if text is None else parse_utc(text)


def round_out(
    files: IFiles,
    folder: Path,
    index: Index,
    recording_id: str,
    start_us: int | None,
    end_us: int | None,
) -> tuple[int | None, int | None]:
    """Round a span of a recording out to groups of pictures.

    :param start_us: None: from the beginning.
    :param end_us: None: to the end; an end that is still to come stays as it is.
    :raises StorageError: there is no such recording, or nothing of it lies within.
    """
    recording = find_recording(index, folder, recording_id)
    check_span(index, folder, recording, start_us, end_us)
    path = recording_folder(folder, recording_id)
    if start_us is not None:
        block = _block_at(index, recording, start_us)
        if block is not None:
            start_us = _group_start(files, path, block, start_us)
        elif recording.start_us is not None:
            start_us = recording.start_us
    if end_us is not None:
        if recording.stop_us is not None:
            end_us = min(end_us, recording.stop_us)
        block = _block_at(index, recording, end_us - 1)
        if block is not None:
            end_us = _group_end(files, path, block, end_us)
    return start_us, end_us


def check_span(
    index: Index, folder: Path, recording: Recorded, start_us: int | None, end_us: int | None
) -> None:
    """Make sure that there is something to hold.

    :raises StorageError: the span is empty, or nothing of the recording lies within it.
    """
    if start_us is not None and end_us is not None and end_us <= start_us:
        message = f"a span from {utc_text(start_us)} to {utc_text(end_us)} is empty"
        raise StorageError(StorageErrorKind.FAILED, folder, message)
    if recording.stop_us is None and end_us is None:
        return  # it runs: whatever is still to come is held
    row = index.first(
        "SELECT 1 FROM blocks WHERE recording_id = ? AND starttime < ?"
        " AND (stoptime IS NULL OR stoptime > ?) LIMIT 1",
        recording.row_id,
        "9" if end_us is None else utc_text(end_us),
        "" if start_us is None else utc_text(start_us),
    )
    if row is None:
        raise StorageError(StorageErrorKind.ABSENT, folder, "nothing is recorded in this span")


def _block_at(index: Index, recording: Recorded, utc_us: int) -> _Block | None:
    """Give the block that began last at or before a time."""
    row = index.first(
        "SELECT filename, starttime, stoptime FROM blocks"
        " WHERE recording_id = ? AND starttime <= ? ORDER BY starttime DESC LIMIT 1",
        recording.row_id,
        utc_text(utc_us),
    )
    return None if row is None else _Block(row[0], parse_utc(row[1]), _time(row[2]))


def _group_start(files: IFiles, recording: Path, block: _Block, utc_us: int) -> int:
    if block.stop_us is not None and block.stop_us <= utc_us:
        return utc_us  # between two blocks
    starts = _group_starts(files, recording, block)
    return max((start for start in starts if start <= utc_us), default=block.start_us)


def _group_end(files: IFiles, recording: Path, block: _Block, utc_us: int) -> int:
    if block.stop_us is None or block.stop_us <= utc_us:
        return utc_us
    starts = _group_starts(files, recording, block)
    return min((start for start in starts if start >= utc_us), default=block.stop_us)


def _group_starts(files: IFiles, recording: Path, block: _Block) -> Sequence[int]:
    """Give when the groups of a block begin; nothing if its file does not tell."""
    try:
        with BlockReader(files, block_file(recording, block.block_id)) as reader:
            return [block.start_us + cue.time_ms * 1000 for cue in reader.cues() or ()]
    except (StorageError, WireError):
        return ()
