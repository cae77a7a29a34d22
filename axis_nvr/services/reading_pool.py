"""The threads in which disks are read: the reactor does not wait for them."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from axis_nvr.errors import NvrError
from axis_nvr.storage.threads import start_thread

#: Threads that read at a time, of all disks together.
MAX_THREADS = 16

T = TypeVar("T")


class ReadingPool(Service):
    """Threads while the recorder runs; a disk that hangs does not keep it from ending."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, MAX_THREADS, "reading")
        # The pool would wait for its threads at the end, for ever for one that hangs.
        self._pool.threadFactory = partial(threading.Thread, daemon=True)  # type: ignore[assignment]

    def __call__(self, function: Callable[[], T]) -> "Deferred[T]":
        """Run something in a thread; refused once the recorder stops."""
        if not self.running:
            return fail(NvrError("the recorder does not run"))
        running: Deferred[T] = deferToThreadPool(self._reactor, self._pool, function)
        return running

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._pool.start()

    def stopService(self) -> None:
        """Take nothing more; what was begun is left to itself."""
        super().stopService()
        start_thread(self._pool.stop, "reading ends")
