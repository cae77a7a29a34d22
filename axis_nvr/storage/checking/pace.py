"""Reading no faster than one may, and behind everybody else."""

import ctypes
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: ioprio_set(2) and ioprio_get(2), by machine; where they are not known nothing is asked for.
_CALLS = {"x86_64": (251, 252), "aarch64": (30, 31), "armv7l": (314, 315), "riscv64": (30, 31)}
_THIS_THREAD = (1, 0)  # IOPRIO_WHO_PROCESS, the caller
_IDLE = 3 << 13  # IOPRIO_CLASS_IDLE

#: Time not spent is not saved up beyond this, in seconds: no burst follows a pause.
MAX_SAVED_SECONDS = 0.5


class Pace:
    """Holds reading to a rate.

    :param bytes_a_second: the rate; None: as fast as it goes.
    :param monotonic: a clock that never steps, in seconds.
    :param wait: lets so many seconds go by.
    """

    def __init__(
        self,
        bytes_a_second: float | None,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_a_second
        self._monotonic = monotonic
        self._wait = wait
        self._due = monotonic()

    def spend(self, size_bytes: int) -> None:
        """Say that so much was read; wait until more may be."""
        if not self._rate:
            return
        now = self._monotonic()
        self._due = max(self._due, now - MAX_SAVED_SECONDS) + size_bytes / self._rate
        if self._due > now:
            self._wait(self._due - now)


def _priority_calls() -> tuple[Callable[[], int], Callable[[int], object]] | None:
    """Find what gets and sets the calling thread's I/O priority."""
    numbers = _CALLS.get(platform.machine())
    if numbers is None:
        return None
    try:
        call = ctypes.CDLL(None).syscall
    except (OSError, AttributeError):
        return None
    setter, getter = numbers
    return (
        lambda: int(call(getter, *_THIS_THREAD)),
        lambda priority: call(setter, *_THIS_THREAD, priority),
    )


_priority = _priority_calls()


@contextmanager
def idle_io() -> Iterator[None]:
    """Let this thread read only when nobody else wants the disk.

    It is for the disk's scheduler to obey: BFQ does, others may not.
    """
    if _priority is None:
        yield
        return
    get, put = _priority
    before = get()
    put(_IDLE)
    try:
        yield
    finally:
        put(max(before, 0))
