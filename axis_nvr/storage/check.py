"""Looking a disk over: index against files, XML against blocks, every cluster against its check.

Nothing is changed. A disk that is being recorded to can be checked too: of a block that is open
when its turn comes only the whole clusters are looked at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from axis_nvr.errors import NvrError, StorageError, WireError
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.files import IFiles, read_text
from axis_nvr.storage.index import BlockRow, Index, RecordingRow
from axis_nvr.storage.layout import (
    RECORDING_XML,
    is_block_id,
    is_block_path,
    is_day_folder,
    is_hour_folder,
    is_recording_id,
    recording_folder,
    utc_text,
)
from axis_nvr.storage.xml import BlockStatus, parse_block, parse_recording
from axis_nvr.wire.matroska_elements import Id
from axis_nvr.wire.matroska_reader import Cluster


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    :param recording_id: empty where it is about the disk as a whole.
    :param block_id: empty where it is about the recording as a whole.
    :param utc_us: from when on the pictures suffer: UTC, microseconds since 1970; None if none do.
    """

    recording_id: str
    block_id: str
    message: str
    utc_us: int | None = None

    def __str__(self) -> str:
        place = "/".join(part for part in (self.recording_id, self.block_id) if part)
        time = "" if self.utc_us is None else f" at {utc_text(self.utc_us)}"
        return f"{place or 'disk'}{time}: {self.message}"


#: Called with the number of blocks checked and of all blocks.
Progress = Callable[[int, int], None]


def check_disk(
    files: IFiles, folder: Path, index: Index, progress: Progress = lambda done, total: None
) -> Iterator[Finding]:
    """Check a whole disk.

    :raises StorageError: the index or the folder cannot be read.
    """
    for words in index.check():
        yield Finding("", "", f"the index is damaged: {words}")
    recordings = {row.recording_id: row for row in index.recordings()}
    blocks = list(index.blocks())
    for recording in recordings.values():
        yield from _check_recording(files, folder, recording)
    for done, block in enumerate(blocks):
        progress(done, len(blocks))
        yield from check_block(files, folder, block)
    progress(len(blocks), len(blocks))
    known = {(block.recording_id, block.block_id) for block in blocks}
    yield from _check_strangers(files, folder, set(recordings), known)


def _check_recording(files: IFiles, folder: Path, row: RecordingRow) -> Iterator[Finding]:
    if not is_recording_id(row.recording_id):
        yield Finding(repr(row.recording_id)[:60], "", "no recording id")
        return
    try:
        path = recording_folder(folder, row.recording_id) / RECORDING_XML
        xml = parse_recording(_read(files, path))
    except NvrError as error:
        yield Finding(row.recording_id, "", f"{RECORDING_XML}: {error}")
        return
    if xml.recording_id != row.recording_id:
        yield Finding(row.recording_id, "", f"{RECORDING_XML} is that of {xml.recording_id!r:.60}")
    if row.start_us is not None and xml.start_us > row.start_us:
        message = f"{RECORDING_XML} starts at {utc_text(xml.start_us)}, the index earlier"
        yield Finding(row.recording_id, "", message)
    if row.stop_us is not None and xml.stop_us != row.stop_us:
        yield Finding(row.recording_id, "", f"{RECORDING_XML} has not the stop time of the index")


def check_block(files: IFiles, folder: Path, row: BlockRow) -> Iterator[Finding]:
    """Check one block: its file, its XML and its row."""

    def finding(message: str, utc_us: int | None = None) -> Finding:
        return Finding(row.recording_id, row.block_id, message, utc_us)

    names = (is_recording_id(row.recording_id), is_block_id(row.block_id), is_block_path(row.path))
    if not all(names):
        yield Finding(repr(row.recording_id)[:60], repr(row.block_id)[:60], "no block id")
        return
    path = recording_folder(folder, row.recording_id) / row.path / f"{row.block_id}.mkv"
    is_whole = row.stop_us is not None and row.unfinished is None
    if row.unfinished is not None:
        yield finding("was not closed properly and waits for repair")
    try:
        yield from map(finding, _check_xml(files, path, row, is_whole=is_whole))
    except NvrError as error:
        yield finding(f"XML: {error}")
    try:
        with BlockReader(files, path) as block:
            for message, time_ms in _check_content(block, row, is_whole=is_whole):
                yield finding(message, None if time_ms is None else row.start_us + time_ms * 1000)
    except StorageError as error:
        yield finding(error.message, row.start_us)
    except WireError as error:
        yield finding(str(error), row.start_us)


def _check_xml(files: IFiles, path: Path, row: BlockRow, *, is_whole: bool) -> Iterator[str]:
    xml = parse_block(_read(files, path.with_suffix(".xml")))
    if (xml.block_id, xml.recording_id) != (row.block_id, row.recording_id):
        yield f"its XML is that of {xml.recording_id!r:.60}/{xml.block_id!r:.60}"
    if xml.start_us != row.start_us:
        yield f"its XML starts at {utc_text(xml.start_us)}, the index at {utc_text(row.start_us)}"
    if is_whole and xml.status is not BlockStatus.COMPLETE:
        yield f"its XML says {xml.status}, the index has a stop time"
    if is_whole and xml.stop_us != row.stop_us:
        yield "its XML has not the stop time of the index"


def _check_content(
    block: BlockReader, row: BlockRow, *, is_whole: bool
) -> Iterator[tuple[str, int | None]]:
    """Tell what is wrong in a file, and since which millisecond of the block."""
    if block.info is None or not block.tracks:
        yield "no Info or no Tracks before the first cluster", 0
        return
    if block.info.date_us and abs(block.info.date_us - row.start_us) >= 1000:
        yield f"DateUTC is {utc_text(block.info.date_us)}, not the start time", None
    offsets, end, last_ms = set(), block.first_cluster, 0
    for span in block.spans():
        end = span.end
        if span.id != Id.CLUSTER:
            continue
        offsets.add(span.offset - block.segment_start)
        try:
            cluster = block.read_cluster(span)
        except WireError as error:
            yield f"the cluster at byte {span.offset}: {error}", last_ms
            continue
        last_ms = cluster.timestamp_ms
        for message in _cluster_faults(block, cluster):
            yield f"the cluster at byte {span.offset} {message}", last_ms
    if not offsets:
        yield "no cluster", 0
    if is_whole:
        yield from ((message, None) for message in _check_whole(block, row, offsets, end))


def _cluster_faults(block: BlockReader, cluster: Cluster) -> Iterator[str]:
    if cluster.checked is False:
        yield "does not match its CRC-32"
    numbers = {track.number for track in block.tracks}
    if any(frame.track not in numbers for frame in cluster.frames):
        yield "has frames of a track that is not declared"
    if any(frame.time_ms < 0 for frame in cluster.frames):
        yield "has frames before the block's start"


def _check_whole(block: BlockReader, row: BlockRow, offsets: set[int], end: int) -> Iterator[str]:
    if block.size_bytes != row.size_bytes:
        yield f"{block.size_bytes} bytes long, {row.size_bytes} in the index"
    if end != block.size_bytes:
        yield f"{block.size_bytes - end} bytes behind the last whole element"
    if block.segment_end is None or block.info is None or block.info.duration_ms is None:
        yield "its file is not closed"
        return
    if block.segment_end != block.size_bytes:
        yield f"its Segment ends at byte {block.segment_end}, the file at {block.size_bytes}"
    try:
        cues = block.cues()
        block.tags()
    except WireError as error:
        yield str(error)
        return
    if cues is None:
        yield "no Cues"
    elif any(cue.position not in offsets for cue in cues):
        yield "Cues that point at no cluster"


def _check_strangers(
    files: IFiles, folder: Path, recordings: set[str], blocks: set[tuple[str, str]]
) -> Iterator[Finding]:
    """Find recordings and blocks that the index does not know."""
    for recording in _recording_folders(files, folder):
        name = recording.name
        if name not in recordings:
            yield Finding(name, "", "not in the index")
            continue
        for path in (p for p in _children(files, recording) if is_block_path(p.name)):
            for file in _children(files, path):
                if (
                    file.suffix == ".mkv"
                    and is_block_id(file.stem)
                    and (name, file.stem) not in blocks
                ):
                    yield Finding(name, file.stem, "not in the index")


def _recording_folders(files: IFiles, folder: Path) -> Iterator[Path]:
    for day in _children(files, folder):
        if is_day_folder(day.name):
            for hour in _children(files, day):
                if is_hour_folder(hour.name):
                    for recording in _children(files, hour):
                        if is_recording_id(recording.name):
                            yield recording


def _children(files: IFiles, folder: Path) -> list[Path]:
    try:
        return [folder / name for name in files.list_folder(folder)]
    except (NotADirectoryError, FileNotFoundError):
        return []


def _read(files: IFiles, path: Path) -> bytes:
    try:
        return read_text(files, path)
    except OSError as error:
        raise WireError(error.strerror or str(error)) from error
