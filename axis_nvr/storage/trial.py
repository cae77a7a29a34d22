"""Whether a disk takes bytes: as much as a large group is written to it, and removed again.

What says that a disk is full, slow or failing is what was last written to it. If nobody writes any
more, as when a rule records only while the disk is well, nothing would ever say that it is well
again.
"""

from contextlib import suppress
from pathlib import Path

from axis_nvr.storage.files import IFiles, storage_errors

#: In the disk's folder, for the moment; one that a power cut left is removed by the next trial.
TRIAL_NAME = "trial.tmp"
TRIAL_BYTES = 4 * 1024 * 1024


def try_out(files: IFiles, folder: Path) -> None:
    """Write, sync and remove.

    :raises StorageError: the disk does not take it.
    """
    path = folder / TRIAL_NAME
    _remove(files, path)
    try:
        with storage_errors(path, "try to write to the disk"):
            fd = files.create(path)
            try:
                _fill(files, fd)
                files.sync(fd)
            finally:
                files.close(fd)
    finally:
        _remove(files, path)


def _fill(files: IFiles, fd: int) -> None:
    filling = memoryview(bytes(TRIAL_BYTES))
    while filling:
        filling = filling[files.writev(fd, [filling]) :]


def _remove(files: IFiles, path: Path) -> None:
    with suppress(OSError):
        files.remove(path)
