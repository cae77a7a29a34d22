"""The file operations of the storage on a disk of memory: all are told, and any can fail.

Every operation on an `axis_nvr.storage.files.IFiles` has a number. An `Injector` is asked before
each whether it fails. What was done stands in `FaultFiles.log`, from which
`tests.storage.faults.losses.crashes` makes all disks that a power cut may leave.
"""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from zope.interface import implementer

from axis_nvr.storage.files import Entry, EntryKind, IFiles, Space
from tests.storage.faults.database import connect
from tests.storage.faults.medium import (
    ROOT,
    Change,
    Cut,
    Do,
    Drop,
    Kind,
    Make,
    Mark,
    Medium,
    Move,
    Operation,
    Put,
    Sync,
    Write,
)
from tests.storage.faults.medium import Commit as CommitState

#: Where databases lie while they are open: in memory, if the system has such a place.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None


class Call(NamedTuple):
    """A call of a file operation.

    :ivar at: its number.
    :ivar name: of the file or folder it is about.
    """

    at: int
    operation: str
    name: str


class ShortWriteError(Exception):
    """Raised by an injector: a write takes only a part, and says so."""


#: Looks at a call before it is made; what it raises is what the call raises.
Injector = Callable[[Call], None]


@dataclass(slots=True)
class _Handle:
    inode: int
    path: Path
    position: int = 0
    is_lock: bool = False


@implementer(IFiles)
class FaultFiles:
    """A disk of memory.

    :param medium: what it holds when it is mounted; it belongs to this from then on.
    :ivar log: what was done to it.
    :ivar calls: all calls so far.
    :ivar injector: asked before each call.
    """

    def __init__(self, medium: Medium | None = None, injector: Injector | None = None) -> None:
        self.log: list[Operation] = []
        self.calls: list[Call] = []
        self.injector = injector
        self.space_bytes = Space(1 << 40, 1 << 39)
        medium = Medium() if medium is None else medium
        self._kinds = {number: inode.kind for number, inode in medium.inodes.items()}
        self._data = {n: bytearray(i.data) for n, i in medium.inodes.items()}
        self._names = {n: dict(i.names) for n, i in medium.inodes.items()}
        self._numbers = count(medium.next_number)
        self._handles: dict[int, _Handle] = {}
        self._fds = count(1000)
        self._connections: list[sqlite3.Connection] = []
        self._databases: dict[int, Path] = {}

    def unmount(self) -> None:
        """Let go of what databases took of the real disk; the log stays."""
        for connection in self._connections:
            connection.close()
        for path in self._databases.values():
            for suffix in ("", "-wal", "-shm", "-journal"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            path.parent.rmdir()
        self._connections.clear()
        self._databases.clear()

    def mark(self, what: object) -> None:
        """Remember something at this place of the log."""
        self.log.append(Mark(what))

    def _call(self, operation: str, path: Path) -> None:
        call = Call(len(self.calls), operation, path.name)
        self.calls.append(call)
        if self.injector is not None:
            self.injector(call)

    # Names.

    def _find(self, path: Path) -> int:
        inode = ROOT
        for part in path.absolute().parts[1:]:
            if self._kinds[inode] is not Kind.FOLDER:
                raise OSError(errno.ENOTDIR, "Not a directory", str(path))
            found = self._names[inode].get(part)
            if found is None:
                raise OSError(errno.ENOENT, "No such file or directory", str(path))
            inode = found
        return inode

    def _folder(self, path: Path) -> int:
        inode = self._find(path)
        if self._kinds[inode] is not Kind.FOLDER:
            raise OSError(errno.ENOTDIR, "Not a directory", str(path))
        return inode

    def _make(self, path: Path, kind: Kind) -> int:
        folder = self._folder(path.parent)
        if path.name in self._names[folder]:
            raise OSError(errno.EEXIST, "File exists", str(path))
        number = next(self._numbers)
        self._kinds[number], self._data[number], self._names[number] = kind, bytearray(), {}
        self.log.append(Make(number, kind))
        self._names[folder][path.name] = number
        self._do(folder, Put(path.name, number))
        return number

    def _do(self, inode: int, change: Change) -> None:
        self.log.append(Do(inode, change))

    def _sync(self, inode: int, operation: str, path: Path) -> None:
        try:
            self._call(operation, path)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EACCES):  # these come before it is tried
                self.log.append(Sync(inode, works=False))
            raise
        self.log.append(Sync(inode, works=True))

    def make_folder(self, path: Path) -> None:
        """See `IFiles`."""
        self._call("make_folder", path)
        self._make(path, Kind.FOLDER)

    def rename(self, old: Path, new: Path) -> None:
        """See `IFiles`."""
        self._call("rename", new)
        folder = self._folder(old.parent)
        if self._folder(new.parent) != folder:
            raise OSError(errno.EXDEV, "Only within a folder here", str(new))
        inode = self._find(old)
        if old.name == new.name:
            return
        del self._names[folder][old.name]
        self._names[folder][new.name] = inode
        self._do(folder, Move(old.name, new.name, inode))

    def remove(self, path: Path) -> None:
        """See `IFiles`."""
        self._call("remove", path)
        if self._kinds[self._find(path)] is Kind.FOLDER:
            raise OSError(errno.EISDIR, "Is a directory", str(path))
        self._unlink(path)

    def remove_folder(self, path: Path) -> None:
        """See `IFiles`."""
        self._call("remove_folder", path)
        if self._names[self._folder(path)]:
            raise OSError(errno.ENOTEMPTY, "Directory not empty", str(path))
        self._unlink(path)

    def _unlink(self, path: Path) -> None:
        folder = self._folder(path.parent)
        del self._names[folder][path.name]
        self._do(folder, Drop(path.name))

    def list_folder(self, path: Path) -> list[str]:
        """See `IFiles`."""
        self._call("list_folder", path)
        return sorted(self._names[self._folder(path)])

    def entries(self, path: Path) -> list[Entry]:
        """See `IFiles`."""
        self._call("entries", path)
        return [
            Entry(name, EntryKind.FOLDER if kind is Kind.FOLDER else EntryKind.FILE)
            for name, inode in sorted(self._names[self._folder(path)].items())
            for kind in [self._kinds[inode]]
        ]

    def exists(self, path: Path) -> bool:
        """See `IFiles`."""
        try:
            self._find(path)
        except OSError:
            return False
        return True

    def identity(self, path: Path) -> tuple[int, int]:
        """See `IFiles`."""
        self._call("identity", path)
        return 1, self._find(path)

    def space(self, path: Path) -> Space:
        """See `IFiles`."""
        self._call("space", path)
        return self.space_bytes

    def sync_folder(self, path: Path) -> None:
        """See `IFiles`."""
        self._sync(self._folder(path), "sync_folder", path)

    # Files.

    def _open(self, inode: int, path: Path, *, is_lock: bool = False) -> int:
        fd = next(self._fds)
        self._handles[fd] = _Handle(inode, path, is_lock=is_lock)
        return fd

    def _handle(self, fd: int) -> _Handle:
        handle = self._handles.get(fd)
        if handle is None:
            raise OSError(errno.EBADF, "Bad file descriptor")
        return handle

    def create(self, path: Path) -> int:
        """See `IFiles`."""
        self._call("create", path)
        return self._open(self._make(path, Kind.FILE), path)

    def open_read(self, path: Path) -> int:
        """See `IFiles`."""
        self._call("open_read", path)
        return self._open(self._find(path), path)

    def open_write(self, path: Path) -> int:
        """See `IFiles`."""
        self._call("open_write", path)
        inode = self._find(path)
        if self._kinds[inode] is Kind.FOLDER:
            raise OSError(errno.EISDIR, "Is a directory", str(path))
        return self._open(inode, path)

    def close(self, fd: int) -> None:
        """See `IFiles`. It is closed also if that fails."""
        handle = self._handle(fd)
        del self._handles[fd]
        self._call("close", handle.path)

    def writev(self, fd: int, pieces: Sequence[Any]) -> int:
        """See `IFiles`."""
        handle = self._handle(fd)
        written = self._write("writev", handle, b"".join(pieces), handle.position)
        handle.position += written
        return written

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        """See `IFiles`."""
        return self._write("pwrite", self._handle(fd), bytes(data), offset)

    def _write(self, operation: str, handle: _Handle, data: bytes, offset: int) -> int:
        try:
            self._call(operation, handle.path)
        except ShortWriteError:
            data = data[: (len(data) + 1) // 2]
        content = self._data[handle.inode]
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data
        self._do(handle.inode, Write(offset, data))
        return len(data)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """See `IFiles`."""
        handle = self._handle(fd)
        self._call("pread", handle.path)
        if self._kinds[handle.inode] is Kind.FOLDER:
            raise OSError(errno.EISDIR, "Is a directory", str(handle.path))
        return bytes(self._data[handle.inode][offset : offset + size])

    def size(self, fd: int) -> int:
        """See `IFiles`."""
        handle = self._handle(fd)
        self._call("size", handle.path)
        return len(self._data[handle.inode])

    def truncate(self, fd: int, size: int) -> None:
        """See `IFiles`."""
        handle = self._handle(fd)
        self._call("truncate", handle.path)
        content = self._data[handle.inode]
        del content[size:]
        content.extend(bytes(size - len(content)))
        handle.position = size
        self._do(handle.inode, Cut(size))

    def start_writing(self, fd: int) -> None:
        """See `IFiles`. A change may be on the disk at any time anyway."""

    def sync(self, fd: int) -> None:
        """See `IFiles`."""
        handle = self._handle(fd)
        self._sync(handle.inode, "sync", handle.path)

    def lock(self, path: Path) -> int:
        """See `IFiles`."""
        self._call("lock", path)
        inode = self._find(path) if self.exists(path) else self._make(path, Kind.FILE)
        if any(h.is_lock and h.inode == inode for h in self._handles.values()):
            raise BlockingIOError(errno.EWOULDBLOCK, "Resource temporarily unavailable")
        return self._open(inode, path, is_lock=True)

    def is_locked(self, path: Path) -> bool:
        """See `IFiles`."""
        self._call("is_locked", path)
        inode = self._find(path)
        return any(h.is_lock and h.inode == inode for h in self._handles.values())

    # The database.

    def connect(self, path: Path, *, read_only: bool) -> sqlite3.Connection:
        """See `IFiles`."""
        self._call("connect", path)
        if not self.exists(path):
            if read_only:
                raise sqlite3.OperationalError("unable to open database file")
            self._make(path, Kind.DATABASE)
        inode = self._find(path)

        def committed(state: bytes, is_durable: bool | None) -> None:
            self._do(inode, CommitState(state))
            if is_durable is not False:
                self.log.append(Sync(inode, works=is_durable is not None))

        connection = connect(
            self._real_file(inode),
            read_only=read_only,
            called=lambda operation: self._call(operation, path),
            committed=committed,
        )
        self._connections.append(connection)
        return connection

    def _real_file(self, inode: int) -> Path:
        """Give the file that SQLite works on, with what the disk held when it was mounted."""
        if inode not in self._databases:
            real = Path(tempfile.mkdtemp(prefix="axis_nvr_test_", dir=MEMORY)) / "index.db"
            if self._data[inode]:
                real.write_bytes(self._data[inode])
            self._databases[inode] = real
        return self._databases[inode]
