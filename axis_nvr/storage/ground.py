"""The folder that a disk was opened at, and whether it still is that disk's."""

from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import IFiles, storage_errors


class Ground:
    """A disk's folder that is worked on; makes sure that it is still the one that was opened.

    :raises StorageError: it is not there.
    """

    def __init__(self, files: IFiles, folder: Path) -> None:
        self.files = files
        self.folder = folder
        with storage_errors(folder, "open the disk"):
            self._identity = files.identity(folder)

    def check_present(self) -> None:
        """Make sure that what is not found is gone, and not only its disk.

        :raises StorageError: the folder is another one, as where the disk is not mounted any more,
            or there is none.
        """
        with storage_errors(self.folder, "find the disk"):
            identity = self.files.identity(self.folder)
        if identity != self._identity:
            message = "this is not the disk that was opened: was it unmounted, or another mounted?"
            raise StorageError(StorageErrorKind.ABSENT, self.folder, message)
