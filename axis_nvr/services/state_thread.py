"""The thread in which the state database is written: the reactor does not wait for its disk."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool


class StateThread(Service):
    """Runs one thing after another in a thread of its own.

    :param ended: called when nothing runs any more, such as to close the database.
    """

    def __init__(self, reactor: Any, ended: Callable[[], None] = lambda: None) -> None:
        self.ended = ended
        self._reactor = reactor
        self._pool = ThreadPool(1, 1, "state")

    def run(self, work: Callable[[], Any]) -> "Deferred[Any]":
        """Run something; before the start it waits for that."""
        return deferToThreadPool(self._reactor, self._pool, work)

    def startService(self) -> None:
        """Begin with what waits."""
        super().startService()
        self._pool.start()

    def stopService(self) -> None:
        """Finish what was begun."""
        super().stopService()
        self._pool.stop()
        self.ended()
