"""Checking one block: its row, its XML, its file."""

from collections.abc import Iterator
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind, WireError
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.checking.content import ContentCheck, whole_loss
from axis_nvr.storage.checking.findings import Finding, FindingKind, Looked
from axis_nvr.storage.files import IFiles, read_text
from axis_nvr.storage.index import BlockRow
from axis_nvr.storage.layout import recording_folder, utc_text
from axis_nvr.storage.xml import BlockStatus, BlockXml, parse_block


def block_path_of(folder: Path, row: BlockRow) -> Path:
    """Give where a block's file is; its row's names must have been looked at."""
    return recording_folder(folder, row.recording_id) / row.path / f"{row.block_id}.mkv"


def check_block(
    files: IFiles, folder: Path, row: BlockRow, *, reads_media: bool = True
) -> Iterator[Finding | Looked]:
    """Check one block.

    :param row: as the index has it; its names must have been looked at.
    :param reads_media: read every cluster, not only what stands around them.
    """
    path = block_path_of(folder, row)
    if row.stop_us is not None and row.stop_us < row.start_us:
        message = f"it stops at {utc_text(row.stop_us)}, before it starts"
        yield Finding(FindingKind.STOP_BEFORE_START, row.recording_id, row.block_id, message)
    if row.unfinished is not None:
        message = "was not closed properly and waits for repair"
        yield Finding(FindingKind.UNFINISHED, row.recording_id, row.block_id, message)
    yield from _check_xml(files, path.with_suffix(".xml"), row)
    try:
        block = BlockReader(files, path)
    except StorageError as error:
        is_missing = error.kind is StorageErrorKind.ABSENT
        kind = FindingKind.FILE_MISSING if is_missing else FindingKind.UNREADABLE
        yield Finding(kind, row.recording_id, row.block_id, error.message, whole_loss(row))
        return
    except WireError as error:
        kind, loss = FindingKind.FRONT_DAMAGED, whole_loss(row)
        yield Finding(kind, row.recording_id, row.block_id, str(error), loss)
        return
    with block:
        check = ContentCheck(block, row)
        yield from check.outline()
        if reads_media:
            yield from check.media()


def read_xml(files: IFiles, path: Path) -> bytes | None:
    """Read an XML file; None if there is none.

    :raises StorageError: it cannot be read.
    """
    try:
        return read_text(files, path)
    except FileNotFoundError:
        return None
    except OSError as error:
        words = error.strerror or str(error)
        raise StorageError(StorageErrorKind.FAILED, path, words) from error


def _check_xml(files: IFiles, path: Path, row: BlockRow) -> Iterator[Finding]:
    def finding(kind: FindingKind, message: str) -> Finding:
        return Finding(kind, row.recording_id, row.block_id, message)

    try:
        data = read_xml(files, path)
        if data is None:
            yield finding(FindingKind.XML_MISSING, "it has no XML")
            return
        xml = parse_block(data)
    except StorageError as error:
        yield finding(FindingKind.UNREADABLE, f"XML: {error.message}")
    except WireError as error:
        yield finding(FindingKind.XML_DAMAGED, f"XML: {error}")
    else:
        for message in _xml_faults(xml, row):
            yield finding(FindingKind.XML_DIFFERS, message)


def _xml_faults(xml: BlockXml, row: BlockRow) -> Iterator[str]:
    is_whole = row.stop_us is not None and row.unfinished is None
    if (xml.block_id, xml.recording_id) != (row.block_id, row.recording_id):
        yield f"its XML is that of {xml.recording_id!r:.60}/{xml.block_id!r:.60}"
    if xml.start_us != row.start_us:
        yield f"its XML starts at {utc_text(xml.start_us)}, the index at {utc_text(row.start_us)}"
    if is_whole and xml.status is not BlockStatus.COMPLETE:
        yield f"its XML says {xml.status}, the index has a stop time"
    elif is_whole and xml.stop_us != row.stop_us:
        yield "its XML has not the stop time of the index"
