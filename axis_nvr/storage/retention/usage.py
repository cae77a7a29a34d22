"""How much of a disk its recordings take, for a limit that somebody has set."""

from contextlib import suppress
from pathlib import Path

from axis_nvr.storage.files import IFiles
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import block_file, recording_folder, utc_text

#: All rows are counted so often, in seconds; in between it is reckoned from what is written and
#: removed.
COUNT_SECONDS = 600.0


def used_bytes(files: IFiles, folder: Path, index: Index, since_us: int | None = None) -> int:
    """Count what the blocks of a disk take, those that are being written included.

    :param since_us: those that begin then or later; all of them, if not given.
    :raises StorageError: the index cannot be read.
    """
    since = "" if since_us is None else utc_text(since_us)
    where = " WHERE starttime >= ?" if since else ""
    values = (since,) if since else ()
    (closed,) = index.first(f"SELECT SUM(filesize) FROM blocks{where}", *values)  # noqa: S608
    used = int(closed or 0)
    for block in index.blocks(open_only=True):
        if since_us is not None and block.start_us < since_us:
            continue
        with suppress(OSError):  # it is not there any more, or not yet
            path = block_file(recording_folder(folder, block.recording_id), block.block_id)
            fd = files.open_read(path)
            try:
                used += files.size(fd)
            finally:
                files.close(fd)
    return used


class Usage:
    """Tells how much recordings take, without counting each time."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._counted_at: float | None = None
        self._counted_bytes = 0
        self._written_bytes = 0

    def removed(self, size_bytes: int) -> None:
        """Say that so much was removed."""
        self._counted_bytes -= size_bytes

    def bytes(self, now: float) -> int:
        """Tell it.

        :param now: of a clock that never steps, in seconds.
        :raises StorageError: the index cannot be read.
        """
        premises = self._premises
        if self._counted_at is None or now - self._counted_at >= COUNT_SECONDS:
            premises.catch_up()
            self._written_bytes = premises.written_bytes()
            self._counted_bytes = used_bytes(premises.files, premises.folder, premises.index)
            self._counted_at = now
        return self._counted_bytes + premises.written_bytes() - self._written_bytes
