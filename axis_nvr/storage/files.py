"""Every file operation of the storage, in one small interface, and the real one.

Whatever touches a disk goes through an `IFiles`: a test gives one that fails, tears writes or stops
at a chosen call, and so meets on purpose what a disk does once a year.

Durability in words. `fdatasync` makes a file's bytes and its length survive a power cut; the *name*
of a new file survives only once its folder is synced, and so on up. After a failed sync nothing is
known about the bytes since the last one that worked: it is never tried again, the file is given up.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from zope.interface import Interface, implementer

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage import linux

#: Pieces of one gathered write (IOV_MAX of Linux); more are joined first.
MAX_WRITE_PIECES = 1024
#: Bytes of the largest XML file read.
MAX_TEXT_BYTES = 1 << 20


class Space(NamedTuple):
    """Room on a file system, in bytes; `free_bytes` is what a normal user may still take."""

    total_bytes: int
    free_bytes: int


class EntryKind(Enum):
    """What a name in a folder stands for, symbolic links not followed."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"


class Entry(NamedTuple):
    """A name in a folder."""

    name: str
    kind: EntryKind


class IFiles(Interface):
    """What the storage does with files. Every method may raise `OSError`."""

    def create(path: Path) -> int:  # noqa: N805
        """Create a file that must not exist and open it for writing."""

    def open_read(path: Path) -> int:  # noqa: N805
        """Open a file for reading; not through a symbolic link."""

    def open_write(path: Path) -> int:  # noqa: N805
        """Open a file that exists for reading and writing; not through a symbolic link."""

    def close(fd: int) -> None:  # noqa: N805
        """Close what one of the above opened."""

    def writev(fd: int, pieces: Sequence[Any]) -> int:  # noqa: N805
        """Write pieces, at most `MAX_WRITE_PIECES`, behind what was written; tell how much went."""

    def pwrite(fd: int, data: bytes, offset: int) -> int:  # noqa: N805
        """Write at a place; tell how much went."""

    def pread(fd: int, size: int, offset: int) -> bytes:  # noqa: N805
        """Read from a place; less than asked for at the end of the file."""

    def size(fd: int) -> int:  # noqa: N805
        """Tell how long an open file is."""

    def truncate(fd: int, size: int) -> None:  # noqa: N805
        """Cut an open file off, or lengthen it, and go on writing there."""

    def start_writing(fd: int) -> None:  # noqa: N805
        """Have what is written to an open file go to the disk, without waiting; raises nothing."""

    def sync(fd: int) -> None:  # noqa: N805
        """Make an open file's bytes survive a power cut."""

    def sync_folder(path: Path) -> None:  # noqa: N805
        """Make the names in a folder survive a power cut."""

    def make_folder(path: Path) -> None:  # noqa: N805
        """Make a folder whose parent exists; FileExistsError if it is there."""

    def rename(old: Path, new: Path) -> None:  # noqa: N805
        """Rename a file over another."""

    def remove(path: Path) -> None:  # noqa: N805
        """Remove a file."""

    def remove_folder(path: Path) -> None:  # noqa: N805
        """Remove an empty folder."""

    def list_folder(path: Path) -> list[str]:  # noqa: N805
        """Name what is in a folder, sorted."""

    def entries(path: Path) -> list[Entry]:  # noqa: N805
        """Name what is in a folder, sorted, and tell what each is; not through a symbolic link."""

    def exists(path: Path) -> bool:  # noqa: N805
        """Tell whether something has this name."""

    def identity(path: Path) -> tuple[int, int]:  # noqa: N805
        """Tell file system and inode of a folder or file: another pair is another one."""

    def space(path: Path) -> Space:  # noqa: N805
        """Tell how much room there is."""

    def lock(path: Path) -> int:  # noqa: N805
        """Lock a file, created if need be, for this process; BlockingIOError if another has it."""

    def is_locked(path: Path) -> bool:  # noqa: N805
        """Tell whether somebody has a file locked; nobody who wants to is disturbed by that."""

    def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:  # noqa: N805
        """Open a SQLite database, usable from any one thread at a time."""


def _kind(entry: "os.DirEntry[str]") -> EntryKind:
    if entry.is_dir(follow_symlinks=False):
        return EntryKind.FOLDER
    return EntryKind.FILE if entry.is_file(follow_symlinks=False) else EntryKind.OTHER


@implementer(IFiles)
class Files:
    """The real disk."""

    def create(self, path: Path) -> int:
        """See `IFiles`."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def open_read(self, path: Path) -> int:
        """See `IFiles`. A pipe that stands where a file should is not waited for."""
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)

    def open_write(self, path: Path) -> int:
        """See `IFiles`."""
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        """See `IFiles`."""
        os.close(fd)

    def writev(self, fd: int, pieces: Sequence[Any]) -> int:
        """See `IFiles`."""
        return os.writev(fd, pieces)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        """See `IFiles`."""
        return os.pwrite(fd, data, offset)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """See `IFiles`."""
        return os.pread(fd, size, offset)

    def size(self, fd: int) -> int:
        """See `IFiles`."""
        return os.fstat(fd).st_size

    def truncate(self, fd: int, size: int) -> None:
        """See `IFiles`."""
        os.ftruncate(fd, size)
        os.lseek(fd, size, os.SEEK_SET)

    def start_writing(self, fd: int) -> None:
        """See `IFiles`. What fails shows in `sync`."""
        linux.start_writing(fd)

    def sync(self, fd: int) -> None:
        """See `IFiles`."""
        os.fdatasync(fd)

    def sync_folder(self, path: Path) -> None:
        """See `IFiles`."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def make_folder(self, path: Path) -> None:
        """See `IFiles`."""
        os.mkdir(path, 0o755)

    def rename(self, old: Path, new: Path) -> None:
        """See `IFiles`."""
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """See `IFiles`."""
        os.unlink(path)

    def remove_folder(self, path: Path) -> None:
        """See `IFiles`."""
        os.rmdir(path)

    def list_folder(self, path: Path) -> list[str]:
        """See `IFiles`."""
        return sorted(os.listdir(path))

    def entries(self, path: Path) -> list[Entry]:
        """See `IFiles`."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with os.scandir(fd) as found:
                return sorted(Entry(entry.name, _kind(entry)) for entry in found)
        finally:
            os.close(fd)

    def exists(self, path: Path) -> bool:
        """See `IFiles`."""
        return os.path.lexists(path)

    def identity(self, path: Path) -> tuple[int, int]:
        """See `IFiles`."""
        status = os.stat(path)
        return status.st_dev, status.st_ino

    def space(self, path: Path) -> Space:
        """See `IFiles`."""
        status = os.statvfs(path)
        return Space(status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize)

    def lock(self, path: Path) -> int:
        """See `IFiles`."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        with suppress(OSError):  # the lock is what counts; where nobody can be marked, none is told
            linux.mark(fd)
        return fd

    def is_locked(self, path: Path) -> bool:
        """See `IFiles`."""
        fd = self.open_read(path)
        try:
            return linux.is_marked(fd)
        finally:
            os.close(fd)

    def connect(self, path: Path, *, read_only: bool) -> sqlite3.Connection:
        """See `IFiles`.

        Even a reader of a database with a log (WAL) makes files beside it. Where nothing can be
        made, as on a disk that is mounted read-only, and no log is left, nobody writes either.
        """
        mode = "ro" if read_only else "rwc"
        if read_only and not os.access(path.parent, os.W_OK):
            log = path.with_name(f"{path.name}-wal")
            mode = "ro" if log.exists() else "ro&immutable=1"
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,  # transactions are begun where they are meant to
            check_same_thread=False,
            timeout=5.0,
        )


_KINDS = {
    errno.ENOSPC: StorageErrorKind.FULL,
    errno.EDQUOT: StorageErrorKind.FULL,
    errno.EFBIG: StorageErrorKind.FULL,
    errno.EROFS: StorageErrorKind.READ_ONLY,
    errno.EACCES: StorageErrorKind.READ_ONLY,
    errno.EPERM: StorageErrorKind.READ_ONLY,
    errno.ENOENT: StorageErrorKind.ABSENT,
    errno.ENOTDIR: StorageErrorKind.ABSENT,
    errno.ENODEV: StorageErrorKind.ABSENT,
    errno.ENXIO: StorageErrorKind.ABSENT,
    errno.EWOULDBLOCK: StorageErrorKind.LOCKED,
}
#: What a person can do about an error, where its own words do not tell.
_HINTS = dict.fromkeys(
    (errno.EACCES, errno.EPERM), "; the user that the recorder runs as may not write there"
)


def storage_error(error: OSError | sqlite3.Error, path: Path, tried: str) -> StorageError:
    """Give the `StorageError` that an error of the system or of SQLite amounts to."""
    if isinstance(error, OSError):
        kind = _KINDS.get(error.errno or 0, StorageErrorKind.FAILED)
        hint = _HINTS.get(error.errno or 0, "")
        return StorageError(kind, path, f"{tried}: {error.strerror or error}{hint}")
    name = getattr(error, "sqlite_errorname", "")
    kind = StorageErrorKind.FAILED
    for prefix, meaning in (
        ("SQLITE_FULL", StorageErrorKind.FULL),
        ("SQLITE_READONLY", StorageErrorKind.READ_ONLY),
        ("SQLITE_BUSY", StorageErrorKind.LOCKED),
        ("SQLITE_CANTOPEN", StorageErrorKind.ABSENT),
        ("SQLITE_CORRUPT", StorageErrorKind.CORRUPT),
        ("SQLITE_NOTADB", StorageErrorKind.CORRUPT),
    ):
        if name.startswith(prefix):
            kind = meaning
    return StorageError(kind, path, f"{tried}: {error}")


@contextmanager
def storage_errors(path: Path, tried: str) -> Iterator[None]:
    """Turn errors of the system and of SQLite into `StorageError`."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise storage_error(error, path, tried) from error


def write_pieces(files: IFiles, fd: int, pieces: Sequence[Any]) -> int:
    """Write all pieces, with one call if the system takes them in one.

    :returns: bytes written.
    :raises OSError: not all of it could be written; how much was is for the caller to find out.
    """
    if len(pieces) > MAX_WRITE_PIECES:
        pieces = (b"".join(pieces),)
    size = sum(map(len, pieces))
    written = files.writev(fd, pieces)
    if written < size:  # a full disk takes a part first and says why at the next call
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[_progress(files.writev(fd, [rest])) :]
    return size


def _progress(written: int) -> int:
    """Let a write that writes nothing and says nothing end as an error, not as a loop."""
    if written <= 0:
        raise OSError(errno.EIO, "nothing was written")
    return written


def write_at(files: IFiles, fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at a place."""
    written = 0
    while written < len(data):
        written += _progress(files.pwrite(fd, data[written:], offset + written))


def replace_file(files: IFiles, path: Path, data: bytes) -> None:
    """Put a small file in place of another, or of none, whole or not at all.

    The name is not durable before the folder is synced: that is left to the caller.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        fd = files.create(temporary)
    except FileExistsError:  # left over from a stop in the middle of this
        files.remove(temporary)
        fd = files.create(temporary)
    try:
        try:
            write_pieces(files, fd, [data])
            files.sync(fd)
        finally:
            files.close(fd)
        files.rename(temporary, path)
    except OSError:
        with suppress(OSError):
            files.remove(temporary)
        raise


def is_temporary(name: str) -> bool:
    """Tell whether a file is one that was to take another's place, as `replace_file` names it."""
    return name.startswith(".") and name.endswith(".tmp")


def read_text(files: IFiles, path: Path) -> bytes:
    """Read a small file whole.

    :raises StorageError: it is over `MAX_TEXT_BYTES`.
    """
    fd = files.open_read(path)
    try:
        data = files.pread(fd, MAX_TEXT_BYTES + 1, 0)
    finally:
        files.close(fd)
    if len(data) > MAX_TEXT_BYTES:
        raise StorageError(StorageErrorKind.CORRUPT, path, f"over {MAX_TEXT_BYTES} bytes")
    return data
