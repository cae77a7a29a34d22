"""The lock file of a disk: one recorder at a time, and its name for those who come second.

The lock itself is the kernel's (`flock`): it ends with the process that holds it, however that
ends, so no lock is ever left over. What stands in the file is for people, and tells which recorder
used the disk last::

    ACCC8E012345 process 1234 on host nvr since 2026-05-06T07:08:09.000000Z
"""

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import IFiles, read_text, storage_errors, write_at
from axis_nvr.storage.layout import LOCK_NAME, utc_text

#: What a lock file is believed: a serial number, and words without control characters.
_HOLDER = re.compile(r"(?P<serial>[0-9A-F]{12}) (?P<words>[ -~]{1,200}?) *\n")
#: Length of the file: the same always, so that a full disk takes it where it took it once.
LINE_BYTES = 256


class DiskLock:
    """The lock of a disk while this process holds it.

    :ivar last_serial: the serial number of the recorder that used the disk before; empty: nobody
        did, or it is not known.
    """

    def __init__(self, files: IFiles, fd: int, last_serial: str) -> None:
        self.last_serial = last_serial
        self._files = files
        self._fd = fd

    @classmethod
    def take(cls, files: IFiles, folder: Path, serial: str, now_us: int) -> "DiskLock":
        """Take the lock, and write down who has it.

        :param serial: serial number of this recorder.
        :param now_us: UTC, microseconds since 1970.
        :raises StorageError: another has it, and is named; or the disk cannot be written.
        """
        path = folder / LOCK_NAME
        try:
            with storage_errors(path, "lock the disk"):
                fd = files.lock(path)
        except StorageError as error:
            if error.kind is not StorageErrorKind.LOCKED:
                raise
            serial, words = _holder(files, path)
            message = "another recorder uses the disk, or axis-nvr works on it"
            last = f"; the last recorder was {serial} {words}" if serial else ""
            raise StorageError(error.kind, path, message + last)
        last_serial, _ = _holder(files, path)
        try:
            with storage_errors(path, "write who uses the disk"):
                write_at(files, fd, _line(serial, now_us), 0)
        except StorageError as error:
            if error.kind is not StorageErrorKind.FULL:  # then there is room soon, or it is told
                with suppress(OSError):
                    files.close(fd)
                raise
        return cls(files, fd, last_serial)

    def release(self) -> None:
        """Let another recorder have the disk."""
        with suppress(OSError):  # closing it is all that there is to do
            self._files.close(self._fd)


def _line(serial: str, now_us: int) -> bytes:
    host = platform.node().encode("ascii", "replace").decode()[:64]
    words = f"process {os.getpid()} on host {host} since {utc_text(now_us)}"
    return f"{serial} {words}".ljust(LINE_BYTES - 1).encode() + b"\n"


def _holder(files: IFiles, path: Path) -> tuple[str, str]:
    """Read who is written down: serial number, and process, host and since when."""
    with suppress(OSError, StorageError, UnicodeDecodeError):
        match = _HOLDER.match(read_text(files, path).decode("ascii"))
        if match is not None:
            return match["serial"], match["words"]
    return "", ""
