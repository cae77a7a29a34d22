"""A disk that no recorder uses, for work that needs it whole: checking, mending, wiping."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.storage.layout import INDEX_NAME, LOCK_NAME


@contextmanager
def unused_disk(files: IFiles, folder: Path) -> Iterator[None]:
    """Have a disk for oneself that no recorder uses.

    :raises StorageError: a recorder uses it; or nothing of a disk is there, as where it should be
        mounted.
    """
    with storage_errors(folder, "look for the disk"):
        is_disk = any(files.exists(folder / name) for name in (LOCK_NAME, INDEX_NAME))
    if not is_disk:
        message = "nothing of a disk is there: is it mounted?"
        raise StorageError(StorageErrorKind.ABSENT, folder, message)
    with storage_errors(folder / LOCK_NAME, "lock the disk"):
        lock = files.lock(folder / LOCK_NAME)
    try:
        yield
    finally:
        files.close(lock)
