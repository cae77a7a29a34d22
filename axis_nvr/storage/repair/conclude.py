"""Closing a block and a recording of an earlier run: the file, then its XML, then its row.

Nobody writes to them any more. Each step is done again after a stop in the middle of it and then
changes nothing that is as it should be:

1. The block's file is finished and durable (`axis_nvr.storage.repair.block`).
2. Its XML says that it is complete, and when it ended.
3. One transaction closes the row, notes what is missing, and takes the block off the list of what
   is unfinished.
4. Once all blocks of the recording are closed: ``recording.xml`` gets its stop time.
5. The recording's row gets it too.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.storage.ground import Ground
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.layout import (
    RECORDING_XML,
    is_block_id,
    is_block_path,
    is_recording_id,
    recording_folder,
)
from axis_nvr.storage.repair.block import FinishedBlock, Wanted, finish_block
from axis_nvr.storage.repair.papers import (
    complete_block_xml,
    complete_recording_xml,
    read_recording_xml,
    write_recording_xml,
)
from axis_nvr.storage.repair.rows import (
    UnfinishedBlock,
    close_finished,
    end_recording,
    forget_block,
    gaps_of_block,
    give_up_block,
    has_open_blocks,
    span_of_blocks,
)
from axis_nvr.storage.repair.survey import Unclear


def conclude_block(
    premises: Premises, ground: Ground, block: UnfinishedBlock
) -> FinishedBlock | None:
    """Close a block.

    :returns: the block; None if there is no file: then there is no row any more either.
    :raises StorageError: the disk does not let us; it is to be tried again.
    :raises Unclear: its file is not understood; the row says so, and the file is left as it is.
    """
    files, index = premises.files, premises.index
    try:
        path = path_of(premises.folder, block)
        done = _finish(premises, block, path)
    except Unclear as error:
        with index.transaction():
            give_up_block(index, block, _size_of(premises, block), str(error))
        raise
    except StorageError as error:
        if error.kind is not StorageErrorKind.ABSENT:
            raise
        ground.check_present()
        remove_leftovers(files, path.parent, [path.with_suffix(".xml").name])
        with index.transaction():
            forget_block(index, block)
        return None
    complete_block_xml(files, path, block.recording_id, (done.start_us, done.stop_us))
    with index.transaction():
        close_finished(index, block, done)
    return done


def path_of(folder: Path, block: UnfinishedBlock) -> Path:
    """Give a block's file.

    :raises Unclear: the index has a name that is none of a block.
    """
    names = (is_recording_id(block.recording_id), is_block_id(block.block_id))
    if not all(names) or not is_block_path(block.path):
        raise Unclear(f"no block is called {block.block_id!r:.60}")
    return recording_folder(folder, block.recording_id) / block.path / f"{block.block_id}.mkv"


def _finish(premises: Premises, block: UnfinishedBlock, path: Path) -> FinishedBlock:
    wanted = Wanted(
        start_us=block.start_us,
        stop_us=block.stop_us,
        good_bytes=block.good_bytes,
        gaps=gaps_of_block(premises.index, block),
        is_unclean=block.good_bytes is None,
    )
    return finish_block(premises.files, path, wanted)


def _size_of(premises: Premises, block: UnfinishedBlock) -> int:
    """Tell how long a file is that is not understood."""
    with suppress(OSError, Unclear):
        fd = premises.files.open_read(path_of(premises.folder, block))
        try:
            return premises.files.size(fd)
        finally:
            premises.files.close(fd)
    return 0


def conclude_recording(premises: Premises, ground: Ground, recording_id: str) -> bool:
    """Close a recording whose blocks are all closed.

    :returns: False if it has blocks that are not.
    :raises StorageError: the disk does not let us.
    """
    files, index = premises.files, premises.index
    if has_open_blocks(index, recording_id):
        return False
    span = span_of_blocks(index, recording_id)
    if not is_recording_id(recording_id) or span is None:
        ground.check_present()
        if is_recording_id(recording_id):
            folder = recording_folder(premises.folder, recording_id)
            remove_leftovers(files, folder, [RECORDING_XML])
        with index.transaction():
            index.drop_recording(recording_id)
        return True
    folder = recording_folder(premises.folder, recording_id)
    start_us, stop_us = span.start_us, span.stop_us
    xml = read_recording_xml(files, folder)
    if xml is not None and xml.stop_us is not None and xml.stop_us >= span.last_start_us:
        stop_us = xml.stop_us
    if xml is not None and xml.start_us > start_us:  # a block before its first was found since
        write_recording_xml(files, folder, replace(xml, start_us=start_us))
    row = next(index.recordings(recording_id))
    row = replace(row, start_us=row.start_us or start_us, stop_us=stop_us)
    complete_recording_xml(files, folder, row)
    with index.transaction():
        end_recording(index, recording_id, start_us, stop_us)
    return True


def remove_leftovers(files: IFiles, folder: Path, names: Iterable[str]) -> None:
    """Remove small files without meaning, then their folder and those above it while empty.

    What is not there is no error, and neither is what cannot be removed: it means nothing. What is
    gone is gone for good: nobody looks there again.

    :param names: of files in the folder; what a stop left of their writing goes too.
    :raises StorageError: the folder cannot be synced.
    """
    for name in names:
        for leftover in (name, f".{name}.tmp"):
            with suppress(OSError):
                files.remove(folder / leftover)
    changed = folder
    for empty in (folder, folder.parent, folder.parent.parent):
        try:
            files.remove_folder(empty)
        except FileNotFoundError:
            pass
        except OSError:  # not empty
            break
        changed = empty.parent
    with storage_errors(changed, "sync a folder"):
        files.sync_folder(changed)
