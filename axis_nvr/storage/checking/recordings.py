"""Checking recordings: their row, their XML, and how their blocks follow one another."""

from collections.abc import Iterator
from pathlib import Path

from axis_nvr.errors import StorageError, WireError
from axis_nvr.storage.checking.blocks import read_xml
from axis_nvr.storage.checking.findings import Finding, FindingKind
from axis_nvr.storage.checking.rows import IndexedRecording, has_table
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import BlockRow, Index
from axis_nvr.storage.layout import RECORDING_XML, parse_utc, recording_folder, utc_text
from axis_nvr.storage.xml import RecordingXml, parse_recording

#: Blocks may overlap so much without a word: a camera's clock is corrected in small steps.
MAX_OVERLAP_US = 1_000_000
#: A gap explains an overlap that is so near to one of its ends.
_NEAR_US = 10_000_000


def check_recording(
    files: IFiles, folder: Path, index: Index, row: IndexedRecording
) -> Iterator[Finding]:
    """Check a recording apart from its blocks."""

    def finding(kind: FindingKind, message: str) -> Finding:
        return Finding(kind, row.recording_id, "", message)

    if row.start_us is not None and row.stop_us is not None and row.stop_us < row.start_us:
        message = f"it stops at {utc_text(row.stop_us)}, before it starts"
        yield finding(FindingKind.STOP_BEFORE_START, message)
    query = "SELECT MIN(starttime) FROM blocks WHERE recording_id = ?"
    ((first,),) = index.query(query, row.row_id)
    if first is None:
        yield finding(FindingKind.NO_BLOCKS, "it has no block")
    elif not _begins_with_a_block(index, row, first):
        message = f"it starts {_words(row.start_us)}, its oldest block at {str(first)[:40]}"
        yield finding(FindingKind.TIME_DIFFERS, message)
    try:
        data = read_xml(files, recording_folder(folder, row.recording_id) / RECORDING_XML)
        if data is None:
            yield finding(FindingKind.XML_MISSING, f"it has no {RECORDING_XML}")
            return
        xml = parse_recording(data)
    except StorageError as error:
        yield finding(FindingKind.UNREADABLE, f"{RECORDING_XML}: {error.message}")
    except WireError as error:
        yield finding(FindingKind.XML_DAMAGED, f"{RECORDING_XML}: {error}")
    else:
        for message in _xml_faults(xml, row):
            yield finding(FindingKind.XML_DIFFERS, f"{RECORDING_XML} {message}")


def _begins_with_a_block(index: Index, row: IndexedRecording, first: object) -> bool:
    """Tell whether a recording starts with a block: the oldest, unless the clock was set back."""
    if row.start_us is None or _time(first) in (None, row.start_us):
        return row.start_us is not None
    query = "SELECT 1 FROM blocks WHERE recording_id = ? AND starttime = ? LIMIT 1"
    return any(True for _ in index.query(query, row.row_id, utc_text(row.start_us)))


def _xml_faults(xml: RecordingXml, row: IndexedRecording) -> Iterator[str]:
    if xml.recording_id != row.recording_id:
        yield f"is that of {xml.recording_id!r:.60}"
    if row.start_us is not None and xml.start_us > row.start_us:  # heads may have been removed
        yield f"starts at {utc_text(xml.start_us)}, the index earlier"
    if row.stop_us is not None and xml.stop_us != row.stop_us:
        yield "has not the stop time of the index"


def check_sequence(index: Index, row_id: int, before: BlockRow, row: BlockRow) -> Iterator[Finding]:
    """Check that a block does not begin before the one before it has ended.

    :param row_id: the recording's row.
    """
    if before.stop_us is None or before.stop_us - row.start_us <= MAX_OVERLAP_US:
        return
    if _is_explained(index, row_id, (before.stop_us, row.start_us)):
        return
    seconds = (before.stop_us - row.start_us) / 1e6
    message = f"it begins {seconds:.3f} s before {before.block_id} has ended"
    yield Finding(FindingKind.OVERLAP, row.recording_id, row.block_id, message)


def _is_explained(index: Index, row_id: int, times: tuple[int, int]) -> bool:
    """Tell whether the recording notes that its clock stepped there."""
    if not has_table(index, "nvr_gaps"):
        return False
    query = (
        "SELECT 1 FROM nvr_gaps WHERE recording_id = ?1 AND reason IN"
        " ('clock-stepped', 'timestamp-jump', 'source-changed')"
        " AND (start_us BETWEEN ?2 AND ?3 OR end_us BETWEEN ?2 AND ?3) LIMIT 1"
    )
    for time_us in times:
        span = (time_us - _NEAR_US, time_us + _NEAR_US)
        if any(True for _ in index.query(query, row_id, *span)):
            return True
    return False


def _time(text: object) -> int | None:
    try:
        return parse_utc(str(text))
    except WireError:
        return None  # told with the block's own row


def _words(start_us: int | None) -> str:
    return "at no time" if start_us is None else f"at {utc_text(start_us)}"
