"""What must hold on a disk after anything: the contract, looked at from the outside.

`look_after` takes a disk as a crash left it, looks at its index before anybody touches it, starts a
recorder on it, lets it do its chores, and then reads back what had been promised.
"""

from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from axis_nvr.errors import NvrError, WireError
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Finding, FindingKind
from axis_nvr.storage.chore_thread import ChoreMaker
from axis_nvr.storage.index import BlockRow, Index
from axis_nvr.storage.layout import INDEX_NAME, block_file, recording_folder
from axis_nvr.storage.locks import find_locks
from axis_nvr.storage.locks_xml import Lock
from axis_nvr.storage.xml import BlockStatus, parse_block
from axis_nvr.wire.matroska_elements import Id
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.medium import Cut, Do, Medium, Write, Zeros
from tests.storage.faults.story import (
    FOLDER,
    Closed,
    Damaged,
    Expendable,
    Locked,
    Removed,
    Stored,
    Story,
    Unlocked,
    Unlocking,
)

#: Half a millisecond: what times lose in a block.
ROUNDING_US = 500
#: What is found of a block until it is repaired.
UNREPAIRED = {
    FindingKind.UNFINISHED,
    FindingKind.NOT_INDEXED,
    FindingKind.XML_DIFFERS,
    FindingKind.LEFTOVER,
}


class BrokenPromiseError(AssertionError):
    """The contract does not hold."""


class Frame(NamedTuple):
    """A picture or a piece of sound as it is found on a disk."""

    recording_id: str
    data: bytes
    utc_us: int


def look_after(
    medium: Medium,
    promised: Iterable[object],
    chores: Sequence[ChoreMaker] = (),
    tolerated: Container[FindingKind] = (),
) -> FaultFiles:
    """Start a recorder on a disk and hold it to what was promised before.

    :param tolerated: what our own check may find in the end.
    :returns: the disk, still mounted; `FaultFiles.log` has what recovery did.
    :raises BrokenPromiseError: something is not as it must be.
    """
    promised = list(promised)
    intact = intact_blocks(medium)
    files = FaultFiles(medium)
    try:
        check_index_is_behind(files, {p.block_id for p in promised if isinstance(p, Damaged)})
        story = Story(files, chores, digits=0xB000)
        story.start()
        story.do_chores()
        expendable = {p.recording_id for p in promised if isinstance(p, Expendable)}
        check_untouched(files, intact, expendable)
        if "repair" not in story.chore_names:
            tolerated = UNREPAIRED
        check_disk_is_sound(files, story.disk.place.index, tolerated)
        check_promises(files, story.disk.place.index, promised)
        check_removed(files, story.disk.place.index, promised)
        check_locks(story.disk.place.index, promised)
        story.stop()
    except BaseException:
        files.unmount()
        raise
    return files


def check_index_is_behind(files: FaultFiles, spoilt: Container[str] = ()) -> None:
    """The index points at no bytes that are not there, before anybody repairs anything.

    :param spoilt: blocks of which that is known.
    """
    try:
        index = Index.open_read_only(files, Path(FOLDER) / INDEX_NAME)
    except NvrError:  # the power went before it was made
        return
    try:
        for row in index.blocks():
            if row.block_id in spoilt:
                continue
            try:
                good_bytes = _good_bytes(files, row)
            except NvrError as error:
                if isinstance(error, WireError) and row.unfinished is not None:
                    continue  # it may have failed while its front was written; repair will tell
                raise BrokenPromiseError(f"the index names {row.block_id}: {error}") from error
            if not good_bytes:
                raise BrokenPromiseError(f"the index names {row.block_id}, nothing of it is good")
            if good_bytes < (row.unfinished or row.size_bytes):
                message = f"{row.block_id}: {good_bytes} bytes are good, the index has {row}"
                raise BrokenPromiseError(message)
    finally:
        index.close()


def _good_bytes(files: FaultFiles, row: BlockRow) -> int:
    """Tell where the last of the whole elements ends that stand behind the head without a break."""
    good_bytes = 0
    with BlockReader(files, _path(row)) as block:
        for span in block.spans():
            with suppress(WireError):
                if span.id != Id.CLUSTER or block.read_cluster(span).checked:
                    good_bytes = span.end
                    continue
            break
    return good_bytes


def _path(row: BlockRow) -> Path:
    return block_file(recording_folder(Path(FOLDER), row.recording_id), row.block_id)


def intact_blocks(medium: Medium) -> dict[Path, tuple[int, bytes]]:
    """Give inode and bytes of the blocks that are complete and whole, by XML and file."""
    found = {path: inode for path, inode in medium.walk() if path.is_relative_to(FOLDER)}
    files = FaultFiles(medium)
    intact = {}
    for path, inode in found.items():
        xml = found.get(path.with_suffix(".xml"))
        if path.suffix != ".mkv" or xml is None:
            continue
        try:
            status = parse_block(xml.data).status
            with BlockReader(files, path) as block:
                whole = block.segment_end == block.size_bytes
                whole = whole and all(block.read_cluster(s).checked for s in block.clusters())
        except NvrError:
            continue
        if whole and status is BlockStatus.COMPLETE:
            intact[path] = (files._find(path), inode.data)
    return intact


def check_untouched(
    files: FaultFiles,
    intact: dict[Path, tuple[int, bytes]],
    expendable: Container[str | None] = (),
) -> None:
    """Blocks that were whole were not written to, and are what they were.

    :param expendable: recordings of which they may be gone; with None, any.
    """
    changed = {
        operation.inode
        for operation in files.log
        if isinstance(operation, Do) and isinstance(operation.change, Write | Zeros | Cut)
    }
    for path, (inode, data) in intact.items():
        may_go = path.parent.parent.name in expendable or None in expendable
        if may_go and not files.exists(path):
            continue
        if inode in changed or files._find(path) != inode or bytes(files._data[inode]) != data:
            raise BrokenPromiseError(f"{path.name} was whole, and was written to")


def check_disk_is_sound(
    files: FaultFiles, index: Index, tolerated: Container[FindingKind] = ()
) -> None:
    """Our own check finds nothing."""
    check = DiskCheck(files, Path(FOLDER), index, wait=lambda seconds: None)
    findings = [
        f"{found.kind} {found.place}: {found.message}"
        for found in check.run()
        if isinstance(found, Finding) and found.kind not in tolerated
    ]
    if findings:
        raise BrokenPromiseError("; ".join(findings))


def check_promises(files: FaultFiles, index: Index, promised: Sequence[object]) -> None:
    """What was promised is there, byte for byte, at its time, once."""
    frames: dict[tuple[str, bytes], Frame] = {}
    for frame in read_frames(files, index):
        if frames.setdefault(frame[:2], frame) is not frame:
            raise BrokenPromiseError(f"stored twice: {frame.data[:30]!r}")
    stopped = {row.recording_id for row in index.recordings() if row.stop_us is not None}
    for promise in promised:
        if isinstance(promise, Closed) and promise.recording_id not in stopped:
            is_there = next(index.recordings(promise.recording_id), None) is not None
            if is_there or not _all_may_go(promise.recording_id, promised):
                raise BrokenPromiseError(f"{promise.recording_id} was closed, and is open or gone")
        if not isinstance(promise, Stored) or _may_go(promise, promised):
            continue
        for unit in promise.gop.units:
            found = frames.get((promise.recording_id, bytes(unit.data)))
            if found is None:
                raise BrokenPromiseError(f"acknowledged and lost: {bytes(unit.data[:30])!r}")
            if abs(found.utc_us - unit.utc_us) > ROUNDING_US:
                raise BrokenPromiseError(f"{found.utc_us - unit.utc_us} us off in time")


def _all_may_go(recording_id: str, promised: Sequence[object]) -> bool:
    stored = (p for p in promised if isinstance(p, Stored) and p.recording_id == recording_id)
    return all(_may_go(promise, promised) for promise in stored)


def _may_go(promise: Stored, promised: Sequence[object]) -> bool:
    """Tell whether something may remove a group: it was given up, and nobody holds it."""
    if not any(isinstance(p, Expendable) and p.covers(promise) for p in promised):
        return False
    gop = promise.gop
    return not any(
        lock.recording_id == promise.recording_id and lock.holds(gop.start_us, gop.end_us)
        for lock in _locks_in_force(promised).values()
    )


def _locks_in_force(promised: Sequence[object]) -> dict[str, Lock]:
    locks = {p.lock.token: p.lock for p in promised if isinstance(p, Locked)}
    for promise in promised:
        if isinstance(promise, Unlocking):
            locks.pop(promise.token, None)
    return locks


def check_locks(index: Index, promised: Sequence[object]) -> None:
    """What was locked still is, and what was unlocked is not."""
    found = {lock.token: lock for lock in find_locks(index)}
    for token, lock in _locks_in_force(promised).items():
        if found.get(token) != lock:
            raise BrokenPromiseError(f"{lock} was acknowledged, and is {found.get(token)}")
    for promise in promised:
        if isinstance(promise, Unlocked) and promise.token in found:
            raise BrokenPromiseError(f"{found[promise.token]} was taken away")


def check_removed(files: FaultFiles, index: Index, promised: Sequence[object]) -> None:
    """What was removed is gone, and nothing waits to be."""
    for table in ("remove_blocks", "remove_recordings"):
        if index.first(f"SELECT COUNT(*) FROM {table}")[0]:  # noqa: S608
            raise BrokenPromiseError(f"{table} is not empty")
    for promise in promised:
        if isinstance(promise, Removed) and (
            index.name_taken(promise.recording_id)
            or files.exists(recording_folder(Path(FOLDER), promise.recording_id))
        ):
            raise BrokenPromiseError(f"{promise.recording_id} was removed, and is there")


def read_frames(files: FaultFiles, index: Index) -> Iterable[Frame]:
    """Give all that is stored of recordings that the index knows."""
    for row in index.blocks():
        with BlockReader(files, _path(row)) as block:
            for span in block.clusters():
                if row.unfinished is not None and span.end > row.unfinished:
                    break
                for frame in block.read_cluster(span).frames:
                    utc_us = row.start_us + frame.time_ms * 1000
                    yield Frame(row.recording_id, bytes(frame.data), utc_us)
