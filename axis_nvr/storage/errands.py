"""The chore "errands": single pieces of work on a disk that somebody waits for.

Removing recordings, locking them and changing what else is kept on the disk is done in the
housekeeping thread, between the steps of the other chores and with their index connection: so
nothing of it is done twice at a time, and neither the reactor nor the writer waits for it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.housekeeping import Chore, Premises

NAME = "errands"
#: Errands that may wait for one disk.
MAX_WAITING = 1000
#: Without anything to do it is asked so often, in seconds; an errand wakes it.
IDLE_SECONDS = 3600.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Errand:
    work: Callable[[Premises], Any]
    outcome: "Deferred[Any]"


class Errands:
    """Takes work to a disk's housekeeping thread, as often as the disk is opened.

    :param folder: the disk's, for messages.
    :param wake: lets a chore of the disk have its next step at once, by its name.
    :ivar wake: the same.
    """

    def __init__(
        self, reactor: IReactorFromThreads, folder: Path, wake: Callable[[str], None]
    ) -> None:
        self._reactor = reactor
        self._folder = folder
        self.wake = wake
        self._lock = Lock()
        self._waiting: deque[_Errand] = deque()
        self._is_open = False
        self._premises: Premises | None = None

    def open(self) -> None:
        """Take errands from now on: the disk is open."""
        self._is_open = True

    def close(self) -> None:
        """Refuse what has not been begun, and all that comes: the disk is let go of."""
        self._is_open = False
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        for errand in waiting:
            errand.outcome.errback(self._error(StorageErrorKind.CLOSED, "the disk is let go of"))

    def run(self, work: Callable[[Premises], T]) -> "Deferred[T]":
        """Have something done in the housekeeping thread.

        :param work: is to take some tens of milliseconds at most.
        :returns: what it returned, or raised. Cancelling it takes it back if it was not begun.
        :raises StorageError: as a failure: the disk is not open, or has too much to do.
        """
        if not self._is_open:
            return fail(self._error(StorageErrorKind.ABSENT, "the disk is not in use"))
        if len(self._waiting) >= MAX_WAITING:
            return fail(self._error(StorageErrorKind.SLOW, "the disk has too much to do"))

        def cancelled(outcome: "Deferred[T]") -> None:
            with self._lock:
                kept = (errand for errand in self._waiting if errand.outcome is not outcome)
                self._waiting = deque(kept)

        outcome: Deferred[T] = Deferred(cancelled)
        with self._lock:
            self._waiting.append(_Errand(work, outcome))
        self.wake(NAME)
        return outcome

    def chore(self, premises: Premises) -> Chore:
        """Make the chore, when the disk is opened; see `axis_nvr.storage.chore_thread`."""
        self._premises = premises
        return _ErrandChore(self, premises)

    def catch_up(self, *, recordings_only: bool = False) -> None:
        """Have the disk's index know all that is durable, for who reads it; from any thread.

        It raises nothing, and of a disk that is not in use it does nothing: see
        `axis_nvr.storage.index_teller.IndexTeller.catch_up`.
        """
        if self._premises is not None:
            self._premises.catch_up(recordings_only=recordings_only)

    def do_next(self, premises: Premises) -> bool:
        """Do what has waited longest; tell whether there is more. In the housekeeping thread."""
        with self._lock:
            errand = self._waiting.popleft() if self._waiting else None
        if errand is None:
            return False
        try:
            premises.catch_up()
            result: object = errand.work(premises)
        except Exception as error:
            result = Failure(error)
        self._reactor.callFromThread(_tell, errand.outcome, result)
        return bool(self._waiting)

    def _error(self, kind: StorageErrorKind, words: str) -> StorageError:
        return StorageError(kind, self._folder, words)


def _tell(outcome: "Deferred[Any]", result: object) -> None:
    if not outcome.called:
        outcome.callback(result)  # a failure is one for whoever waits


class _ErrandChore:
    def __init__(self, errands: Errands, premises: Premises) -> None:
        self.name = NAME
        self._errands = errands
        self._premises = premises

    def step(self) -> float | None:
        return 0.0 if self._errands.do_next(self._premises) else IDLE_SECONDS
