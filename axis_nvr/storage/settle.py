"""What is done about recordings that an earlier run left open: the least that is honest.

Nothing is running when a disk is opened. So a block whose row has no stop time was open when the
recorder died: its file is measured up to the last whole cluster whose check holds, the row gets the
size and time of that, and the block is noted as unfinished. Its file and its XML stay as they are:
repair closes them. A recording then stops where its last block does.
"""

from contextlib import suppress
from pathlib import Path

from axis_nvr.errors import StorageError, WireError
from axis_nvr.storage.block_reader import measure
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import BlockRow, Index
from axis_nvr.storage.layout import block_file, recording_folder

#: What at the end of a block may not have been synced: as much as a recording's queue holds, since
#: that is the most one batch writes before it syncs.
DOUBTFUL_BYTES = 32 << 20


def settle(files: IFiles, folder: Path, index: Index) -> list[str]:
    """Give blocks and recordings without stop time the one that the files show.

    :returns: the ids of the recordings that were settled.
    :raises StorageError: the index cannot be written.
    """
    measured = [(block, _measured(files, folder, block)) for block in index.blocks(open_only=True)]
    running = [row.recording_id for row in index.recordings(open_only=True)]
    if not measured and not running:
        return []
    with index.transaction():
        for block, extent in measured:
            if extent is None:
                index.drop_block(block.block_id)
                continue
            good_bytes, stop_us = extent
            index.close_block(block.block_id, stop_us, good_bytes)
            index.mark_unfinished(block.block_id, good_bytes, "the recorder stopped")
        for recording_id in running:
            stops = [block.stop_us or 0 for block in index.blocks(recording_id)]
            if stops:
                index.close_recording(recording_id, max(stops))
            else:
                index.drop_recording(recording_id)
    return running


def _measured(files: IFiles, folder: Path, block: BlockRow) -> tuple[int, int] | None:
    """Give size and stop time of what is good of a block; None if nothing is."""
    with suppress(WireError, StorageError):
        path = block_file(recording_folder(folder, block.recording_id), block.block_id)
        extent = measure(files, path, DOUBTFUL_BYTES)
        return extent.good_bytes, block.start_us + extent.last_ms * 1000
    return None
