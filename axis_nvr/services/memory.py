"""What is asked of malloc: to keep what pictures are made of, and to give back what nobody uses.

**Large pieces.** The reads of a stream and its pictures have tens to hundreds of kilobytes, and are
many. As glibc is set such pieces come and go by ``mmap`` and ``munmap``, or with the end of the
heap: each time the kernel takes their pages away, and clears them for the next one. A stream of
large pictures took 38 000 page faults for each GB so; of pieces from the heap it takes 5 000.

**Free pages.** Groups of pictures come and go by the megabyte, in pieces of all sizes. What malloc
was given at the fullest moment it keeps: free pieces lie between pieces in use, and the C library
gives back only what lies at the end. 64 cameras of 4 Mbit/s leave 25 to 45 MiB of such pages with
the recorder, and an hour in which a disk was slow would leave hundreds of megabytes for good.

glibc gives back all whole pages that are free when it is asked to: 4 ms for 25 MiB. Pages that are
wanted again have to be fetched, which was 2 to 5 % of the CPU when asking every 5 s: so it is asked
seldom, for the sake of what a busy hour left, not of what the next groups will use.
"""

import ctypes
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

#: Parameters of mallopt(3), from malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
#: Pieces up to this are taken from the heap, in bytes: all that come and go with pictures.
LARGEST_HEAP_PIECE_BYTES = 8 * 1024 * 1024
#: Free memory at the end of the heap up to this waits for the next trim, in bytes.
KEPT_HEAP_BYTES = 64 * 1024 * 1024
#: From one time that free memory is given back to the next, in seconds.
TRIM_SECONDS = 30.0


def find_trim() -> Callable[[], object]:
    """Find what gives the C library's free memory back; does nothing where there is no such thing.

    Source: malloc_trim(3).
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # not glibc
        return lambda: None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return lambda: trim(0)


def keep_large_pieces() -> None:
    """Have the C library make large pieces of what it keeps, between one trim and the next.

    Does nothing where there is no such thing.

    Source: mallopt(3), ``M_MMAP_THRESHOLD``, ``M_TRIM_THRESHOLD``.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    mallopt(M_MMAP_THRESHOLD, LARGEST_HEAP_PIECE_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEPT_HEAP_BYTES)


class Trimming(Service):
    """Gives free memory back, now and then."""

    def __init__(self, clock: IReactorTime) -> None:
        self._turns = LoopingCall(find_trim())
        self._turns.clock = clock

    def startService(self) -> None:
        """Begin: what the start left goes first."""
        super().startService()
        self._turns.start(TRIM_SECONDS)

    def stopService(self) -> None:
        """End."""
        super().stopService()
        self._turns.stop()
