"""What all recordings of a disk share: its files and folder, its names, its index."""

import errno
from collections.abc import Callable, Container
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path

from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.storage.ground import Ground
from axis_nvr.storage.horizon import Horizon
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import choose_name, local_stamp

#: Folders remembered as durable; over it they are looked at anew.
MAX_KNOWN_FOLDERS = 4096


class Place:
    """A disk's folder while it is being written to.

    :param files: what does the file operations.
    :param folder: the disk's folder; it exists.
    :param serial: serial number of this recorder: 12 upper-case hexadecimal digits.
    :param product: full name of this product, as blocks tell it.
    :param zone: whose local time names are in; None is this machine's.
    :param digits: gives numbers from 0 to 65535 at random.
    :param horizon: up to which hour the index knows all.
    :ivar reserved: names chosen that the index does not have yet.
    """

    def __init__(
        self,
        files: IFiles,
        folder: Path,
        index: Index,
        horizon: Horizon,
        *,
        serial: str,
        product: str,
        zone: tzinfo | None,
        digits: Callable[[], int],
    ) -> None:
        self.files = files
        self.folder = folder
        self.index = index
        self.horizon = horizon
        self.serial = serial
        self.product = product
        self.reserved: set[str] = set()
        self._zone = zone
        self._digits = digits
        self._durable_folders: set[Path] = set()
        self._doubtful_folders: set[Path] = set()
        self._ground = Ground(files, folder)

    def choose_recording_id(self, utc_us: int) -> str:
        """Choose and reserve the id of a recording that starts at a time."""
        return self._choose(utc_us, f"_{self.serial}", ())

    def choose_block_id(self, utc_us: int, recording_id: str) -> str:
        """Choose and reserve the id of a block; its digits are not its recording's."""
        avoided = recording_id[: -len(self.serial) - 1]
        return self._choose(utc_us, "", (avoided,))

    def _choose(self, utc_us: int, suffix: str, avoided: Container[str]) -> str:
        def taken(name: str) -> bool:
            return name in avoided or name in self.reserved or self.index.name_taken(name)

        name = choose_name(local_stamp(utc_us, self._zone), suffix, self._digits, taken)
        self.reserved.add(name)
        return name

    def check_present(self) -> None:
        """Make sure that the folder is the one that was opened, not an empty mount point.

        :raises StorageError: the disk is gone.
        """
        self._ground.check_present()

    def make_folders(self, folder: Path) -> None:
        """Make a folder of the disk and those above it, and make their names durable."""
        if folder == self.folder or folder in self._durable_folders:
            return
        self.make_folders(folder.parent)
        with storage_errors(folder, "make a folder"):
            self._make(folder)
        if len(self._durable_folders) >= MAX_KNOWN_FOLDERS:
            self._durable_folders.clear()
        self._durable_folders.add(folder)

    def _make(self, folder: Path) -> None:
        """Make a folder and its name durable; one whose sync failed is not only synced again."""
        if folder in self._doubtful_folders:
            with suppress(FileNotFoundError):
                self._remove_empty(folder)
            self._doubtful_folders.discard(folder)
        with suppress(FileExistsError):
            self.files.make_folder(folder)
        try:
            self.files.sync_folder(folder.parent)
        except OSError:  # its name may never be durable now, unless it is made anew
            self._doubtful_folders.add(folder)
            raise

    def _remove_empty(self, folder: Path) -> None:
        try:
            self.files.remove_folder(folder)
        except OSError as error:
            if (
                error.errno != errno.ENOTEMPTY
            ):  # what is in it was acknowledged, so its name is safe
                raise

    def forget_folder(self, folder: Path) -> None:
        """Remove a folder if it is empty; it is made again if it is needed again."""
        self._durable_folders.discard(folder)
        with suppress(OSError):  # not empty, or not there
            self.files.remove_folder(folder)

    def distrust_folders(self) -> None:
        """Look at each folder anew before it is used again: something went wrong."""
        self._durable_folders.clear()
