"""The bounded queue between the reactor's thread and a disk's writer thread.

Groups wait a moment for others: cameras are read on ticks, so that groups come in bunches, and a
batch of one costs as much beside the writing as a batch of eight. Meanwhile the writer thread
sleeps and nobody wakes it, unless what waits is much, or is no group.
"""

from collections import Counter
from dataclasses import dataclass
from threading import Condition
from typing import Generic, TypeVar

#: Groups that one recording may have waiting or being written.
MAX_RECORDING_GOPS = 64
#: Bytes that one recording may have waiting or being written.
MAX_RECORDING_BYTES = 32 << 20
#: Bytes that all recordings of a disk may have waiting or being written.
MAX_DISK_BYTES = 256 << 20
#: A group waits so long for others, in seconds: until the tick is over that brought it.
GATHER_SECONDS = 0.05
#: No longer if so many bytes wait.
GATHERED_BYTES = 4 << 20
#: Jobs without media (open, close, gaps) that may wait.
MAX_SMALL_JOBS = 4096

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Load:
    """What waits or is being written."""

    gops: int
    size_bytes: int


class WriteQueue(Generic[T]):
    """Jobs for one consumer, in order; safe for threads.

    What was taken counts until `done` says that it is finished: the memory is held until then.
    """

    def __init__(
        self,
        *,
        recording_gops: int = MAX_RECORDING_GOPS,
        recording_bytes: int = MAX_RECORDING_BYTES,
        disk_bytes: int = MAX_DISK_BYTES,
    ) -> None:
        self._limits = (recording_gops, recording_bytes, disk_bytes)
        self._condition = Condition()
        self._jobs: list[tuple[T, object, int]] = []
        self._taken: list[tuple[T, object, int]] = []
        self._gops: Counter[object] = Counter()
        self._bytes: Counter[object] = Counter()
        self._is_closed = False
        self._is_gathering = False  # groups wait for others
        self._is_pressing = False  # what waits is not to wait for more

    @property
    def load(self) -> Load:
        """What waits or is being written now."""
        with self._condition:
            return Load(self._gops.total(), self._bytes.total())

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._is_closed

    def offer(self, job: T, recording: object, size_bytes: int) -> bool:
        """Put a group behind the others, unless a limit is reached.

        A recording that has nothing waiting may always put one, be it over its limit of bytes.

        :returns: whether it was taken.
        """
        gops, own_bytes, all_bytes = self._limits
        with self._condition:
            if self._is_closed or self._gops[recording] >= gops:
                return False
            if self._gops[recording] and self._bytes[recording] + size_bytes > own_bytes:
                return False
            if self._bytes and self._bytes.total() + size_bytes > all_bytes:
                return False
            self._gops[recording] += 1
            self._bytes[recording] += size_bytes
            self._jobs.append((job, recording, size_bytes))
            if not self._is_gathering:
                self._condition.notify()
            elif self._bytes.total() >= GATHERED_BYTES:
                self._press()
        return True

    def put(self, job: T) -> bool:
        """Put a job without media behind the others.

        :returns: False if the queue is closed or far too many wait.
        """
        with self._condition:
            if self._is_closed or len(self._jobs) >= MAX_SMALL_JOBS:
                return False
            self._jobs.append((job, None, 0))
            self._press()
        return True

    def _press(self) -> None:
        self._is_pressing = True
        self._condition.notify()

    def take(self, *, wait: bool = True, timeout: float | None = None) -> list[T] | None:
        """Take everything that waits.

        :param wait: for something to come, and for what comes with it.
        :param timeout: no longer than so many seconds; None: however long it takes.
        :returns: None once the queue is closed and empty.
        """
        with self._condition:
            if wait:
                self._condition.wait_for(lambda: self._jobs or self._is_closed, timeout)
                self._gather()
            self._is_pressing = False
            if not self._jobs and self._is_closed:
                return None
            self._taken, self._jobs = self._jobs, []
            return [job for job, _, _ in self._taken]

    def _gather(self) -> None:
        """Let groups that wait be joined by others."""
        if self._jobs and self._bytes.total() < GATHERED_BYTES:
            self._is_gathering = True
            self._condition.wait_for(lambda: self._is_pressing, GATHER_SECONDS)
            self._is_gathering = False

    def done(self) -> None:
        """Say that what was taken last is finished."""
        with self._condition:
            for _, recording, size_bytes in self._taken:
                if recording is not None:
                    self._gops[recording] -= 1
                    self._bytes[recording] -= size_bytes
                    if not self._gops[recording]:
                        del self._gops[recording], self._bytes[recording]
            self._taken = []

    def close(self) -> None:
        """Take nothing more; what waits is still handed out."""
        with self._condition:
            self._is_closed = self._is_pressing = True
            self._condition.notify_all()
