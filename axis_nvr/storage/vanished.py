"""What goes while it is recorded: rows and files that somebody removed behind the writer's back.

The index must not go on naming bytes that are gone, nor a block stand in it without its recording.
All but `is_gone` are called within a transaction.
"""

from pathlib import Path

from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import Index, RecordingRow


def is_gone(files: IFiles, path: Path) -> bool:
    """Tell whether surely nothing has this name: a disk that does not answer is no proof."""
    try:
        files.identity(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def drop_vanished(index: Index, files: IFiles, folder: Path, recording_id: str) -> None:
    """Take out the rows of a recording's blocks whose files are gone.

    :param folder: the recording's.
    """
    blocks = list(index.blocks(recording_id))
    gone = [it for it in blocks if is_gone(files, folder / it.path / f"{it.block_id}.mkv")]
    for block in gone:
        index.drop_block(block.block_id)


def ensure_recording(index: Index, row: RecordingRow) -> None:
    """Add a recording, unless it is there: it was removed with all of its blocks."""
    if next(index.recordings(row.recording_id), None) is None:
        index.add_recording(row)


def end_recording(index: Index, recording_id: str, stop_us: int) -> None:
    """Note that a recording has ended; one of which nothing is left is taken out."""
    if next(index.blocks(recording_id), None) is None:
        index.drop_recording(recording_id)
    else:
        index.close_recording(recording_id, stop_us)
