"""Ways to make the groups of many cameras durable, bare: what the writer could do, side by side.

Each takes files that are open, writes a group to each and returns when all are durable.
"""

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from axis_nvr.storage.linux import start_writing

GROUP = os.urandom(1 << 20)
#: Files to write to, and a descriptor of their folder.
Scheme = Callable[[Sequence[int], int], None]

_libc = ctypes.CDLL(None, use_errno=True)
_threads = ThreadPoolExecutor(8)


def one_by_one(files: Sequence[int], folder: int) -> None:
    """Write and sync a group, then the next."""
    for fd in files:
        os.write(fd, GROUP)
        os.fdatasync(fd)


def all_then_sync(files: Sequence[int], folder: int) -> None:
    """Write all, then sync one after another."""
    for fd in files:
        os.write(fd, GROUP)
    for fd in files:
        os.fdatasync(fd)


def on_their_way(files: Sequence[int], folder: int) -> None:
    """Write all, have all go to the disk, then sync one after another: what the storage does."""
    for fd in files:
        os.write(fd, GROUP)
    if len(files) > 1:
        for fd in files:
            start_writing(fd)
    for fd in files:
        os.fdatasync(fd)


def whole_file_system(files: Sequence[int], folder: int) -> None:
    """Write all, then one syncfs(2); it tells no file from another, nor ours from anybody's."""
    for fd in files:
        os.write(fd, GROUP)
    if _libc.syncfs(folder):
        raise OSError(ctypes.get_errno(), "syncfs")


def in_threads(files: Sequence[int], folder: int) -> None:
    """Write all, then sync in eight threads."""
    for fd in files:
        os.write(fd, GROUP)
    list(_threads.map(os.fdatasync, files))


SCHEMES: dict[str, Scheme] = {
    "write and fdatasync, one by one": one_by_one,
    "write all, then fdatasync each": all_then_sync,
    "write all, sync_file_range, fdatasync": on_their_way,
    "the same into space from fallocate": on_their_way,
    "write all, one syncfs": whole_file_system,
    "write all, fdatasync in 8 threads": in_threads,
}
PREALLOCATED = "the same into space from fallocate"
