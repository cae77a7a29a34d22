"""A file that is there to be removed: room for the index on a disk that is full to the last byte.

To note that a block is to go, the index must write a few pages. On a disk without a byte left it
cannot, and so nothing could ever be removed. The ballast goes first then, and comes back once there
is room again.
"""

from contextlib import suppress
from pathlib import Path

from axis_nvr.storage.files import IFiles, write_pieces

BALLAST_NAME = ".axis_nvr.ballast"
#: More than what the index writes to note a batch of blocks.
BALLAST_BYTES = 2 << 20
#: The ballast is laid only where so many times as much is free.
_ROOM = 4


class Ballast:
    """The ballast of one disk.

    :param folder: the disk's.
    """

    def __init__(self, files: IFiles, folder: Path) -> None:
        self._files = files
        self._path = folder / BALLAST_NAME

    def lay(self, free_bytes: int) -> None:
        """Have the ballast in place, if there is room for it; raises nothing."""
        if free_bytes < _ROOM * BALLAST_BYTES or self._files.exists(self._path):
            return
        with suppress(OSError):
            fd = self._files.create(self._path)
            try:
                write_pieces(self._files, fd, [bytes(BALLAST_BYTES)])
                self._files.sync(fd)
            finally:
                self._files.close(fd)

    def drop(self) -> bool:
        """Remove the ballast; tell whether that made room."""
        try:
            self._files.remove(self._path)
        except OSError:
            return False
        return True
