"""A folder that files are given to, such as a USB disk's; it is no disk for recordings.

Nothing but names within the folder is made, whatever path was asked for, and a file has its name
only when it is whole: until then it ends in ``.part``.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from axis_nvr.errors import StorageError, StorageErrorKind, WireError
from axis_nvr.storage.files import EntryKind, IFiles, storage_errors, write_pieces

#: Bytes of a name and of a whole path, and folders in it.
MAX_NAME_BYTES = 200
MAX_PATH_BYTES = 1024
MAX_DEPTH = 16


def split_path(text: str) -> tuple[str, ...]:
    """Take a path apart that was asked for.

    :raises WireError: it leads out of the folder, names nothing, or is too long.
    """
    names = tuple(name for name in text.split("/") if name)
    if not names or text.endswith("/") or len(names) > MAX_DEPTH or "\\" in text:
        raise WireError(f"no path of a file: {text!r:.60}")
    if len(text.encode()) > MAX_PATH_BYTES:
        raise WireError(f"a path of over {MAX_PATH_BYTES} bytes")
    for name in names:
        if name in (".", "..") or not name.isprintable() or len(name.encode()) > MAX_NAME_BYTES:
            raise WireError(f"no name of a file: {name!r:.60}")
    return names


class ExternalFile:
    """A file that is being written.

    :ivar written_bytes: so far.
    """

    def __init__(self, files: IFiles, path: Path) -> None:
        self.written_bytes = 0
        self._files = files
        self._path = path
        self._draft = path.with_name(f"{path.name}.part")
        with storage_errors(self._draft, "create a file"):
            self._fd = files.create(self._draft)
        self._is_open = True

    def write(self, pieces: Sequence[Any]) -> None:
        """Write pieces behind what was written.

        :raises StorageError: it could not.
        """
        with storage_errors(self._draft, "write a file"):
            self.written_bytes += write_pieces(self._files, self._fd, pieces)

    def finish(self) -> None:
        """Make it durable, and give it its name.

        :raises StorageError: it could not.
        """
        with storage_errors(self._draft, "finish a file"):
            self._files.sync(self._fd)
            self._close()
            self._files.rename(self._draft, self._path)
            self._files.sync_folder(self._path.parent)

    def abandon(self) -> None:
        """Remove what was written."""
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._files.remove(self._draft)

    def _close(self) -> None:
        was_open, self._is_open = self._is_open, False
        if was_open:
            self._files.close(self._fd)


class ExternalFolder:
    """A folder that files are given to."""

    def __init__(self, files: IFiles, folder: Path) -> None:
        self._files = files
        self._folder = folder

    def create(self, names: Sequence[str]) -> ExternalFile:
        """Begin a file; folders on the way to it are made, symbolic links are not followed.

        :param names: from `split_path`.
        :raises WireError: something of this name is there already, or in its way.
        :raises StorageError: the folder cannot be used.
        """
        if not self._files.exists(self._folder):
            raise StorageError(StorageErrorKind.ABSENT, self._folder, "there is no such folder")
        place = self._folder
        for name in names[:-1]:
            kind = self._kind(place, name)
            place /= name
            if kind is None:
                with storage_errors(place, "make a folder"):
                    self._files.make_folder(place)
            elif kind is not EntryKind.FOLDER:
                raise WireError(f"{name!r} is no folder")
        name = names[-1]
        if self._kind(place, name) is not None or self._kind(place, f"{name}.part") is not None:
            raise WireError(f"{name!r} is there already")
        return ExternalFile(self._files, place / name)

    def _kind(self, folder: Path, name: str) -> EntryKind | None:
        with storage_errors(folder, "read a folder"):
            entries = self._files.entries(folder)
        return next((entry.kind for entry in entries if entry.name == name), None)
