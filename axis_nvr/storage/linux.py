"""What Linux does for files and Python has no function for.

**A lock that can be looked at.** Whether a file is locked by `flock` can only be found out by
locking it, and who does so for a moment is in the way of who wants the lock in that moment. A lock
of an open file description (fcntl(2), F_OFD_SETLK) can be asked for without one. So whoever has a
file's lock has a mark of this kind on it too.
"""

import ctypes
import fcntl
import struct
from collections.abc import Callable

#: Begins to write out dirty pages and does not wait for them (sync_file_range(2)).
SYNC_FILE_RANGE_WRITE = 2
#: ``struct flock``: type, whence, start, length, process. All zero but the type is the whole file.
_FLOCK = struct.Struct("@hhqqi0q")


def _find_sync_file_range() -> Callable[[int, int, int, int], object]:
    """Find sync_file_range(2); where there is none, writing begins with the sync."""
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):
        return lambda fd, offset, size, flags: None
    function.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    function.restype = ctypes.c_int
    call: Callable[[int, int, int, int], object] = function
    return call


_sync_file_range = _find_sync_file_range()


def start_writing(fd: int) -> None:
    """Have what is written to a file go to the disk, without waiting; raises nothing."""
    _sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE)


def mark(fd: int) -> None:
    """Put a mark on a file that is open for writing; it goes when the file is closed.

    :raises OSError: another has put one there, or the file system knows none.
    """
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0))


def is_marked(fd: int) -> bool:
    """Tell whether another has put a mark on a file.

    :raises OSError: the file system knows none.
    """
    found = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0))
    kind, *_ = _FLOCK.unpack(found)
    return bool(kind != fcntl.F_UNLCK)
