"""Threads that sync the files of a batch side by side.

One `fdatasync` after another makes the file system commit its journal for each; those that wait
together share a commit. 64 groups at once were durable in a third of the time so.

They are ours and not an executor's, because the interpreter waits for those of an executor when it
ends, and a disk that hangs must not keep the recorder from ending.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Event
from typing import TypeAlias

from axis_nvr.storage.threads import StartThread

#: Syncs that a disk is given at a time.
SYNC_THREADS = 8


class Pending:
    """A call that another thread makes."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._ended = Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the call; in the other thread."""
        try:
            self._call()
        except BaseException as error:  # raised where it is waited for
            self._error = error
        finally:
            self._ended.set()

    def wait(self) -> None:
        """Wait until it has ended; raises what it raised."""
        self._ended.wait()
        if self._error is not None:
            raise self._error


#: Has a call made by another thread.
Submit: TypeAlias = Callable[[Callable[[], None]], Pending]


class SyncThreads:
    """As many threads as are worth having; they wait until they are needed."""

    def __init__(self, start_thread: StartThread, name: str) -> None:
        self._start_thread = start_thread
        self._name = name
        self._calls: SimpleQueue[Pending | None] = SimpleQueue()
        self._is_running = False

    def submit(self, call: Callable[[], None]) -> Pending:
        """Have a call made."""
        if not self._is_running:
            self._is_running = True
            for _ in range(SYNC_THREADS):
                self._start_thread(self._run, self._name)
        pending = Pending(call)
        self._calls.put(pending)
        return pending

    def stop(self) -> None:
        """Let the threads end when they have made the calls they were given."""
        for _ in range(SYNC_THREADS if self._is_running else 0):
            self._calls.put(None)

    def _run(self) -> None:
        while (pending := self._calls.get()) is not None:
            pending.run()
