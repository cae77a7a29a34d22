"""Giving memory that nobody uses back to the system.

Groups of pictures come and go by the megabyte, in pieces of all sizes. What malloc was given at the
fullest moment it keeps: free pieces lie between pieces in use, and the C library gives back only
what lies at the end. 64 cameras of 4 Mbit/s leave 25 to 45 MiB of such pages with the recorder, and
an hour in which a disk was slow would leave hundreds of megabytes with it for good.

glibc gives back all whole pages that are free when it is asked to: 4 ms for 25 MiB. Pages that are
wanted again have to be fetched, which was 2 to 5 % of the CPU when asking every 5 s: so it is asked
seldom, for the sake of what a busy hour left, not of what the next groups will use.
"""

import ctypes
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

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
