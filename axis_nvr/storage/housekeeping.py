"""What goes on at a disk beside recording: repair, rebuild, retention, looking it over.

Each of these is a chore: an object that does a little at a time and says when it wants to go on.
One thread per disk does them in turns, with an index connection of its own, so that none of them
holds up the writer for longer than one small transaction, and a long one does not hold up the rest.

A chore whose step fails is tried again after `RETRY_SECONDS`; what a chore does must therefore be
safe to begin again, as after a power cut. The failure is told of, once for as long as it fails in
the same way.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from threading import Condition
from typing import NamedTuple, Protocol

from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import Index

#: After a step that failed, the chore waits so long.
RETRY_SECONDS = 30.0


class CatchUp(Protocol):
    """Has the index know all that is durable."""

    def __call__(self, *, recordings_only: bool = False) -> None:
        """See `axis_nvr.storage.index_teller.IndexTeller.catch_up`."""


def nothing_waits(*, recordings_only: bool = False) -> None:
    """Be a `CatchUp` of a disk that nobody records to."""


@dataclass(frozen=True, slots=True)
class Premises:
    """What chores work with, all of it for the housekeeping thread only.

    :param index: a connection of its own.
    :param now: the UTC clock, seconds since 1970.
    :param running: the ids of recordings that are being written at this moment, or of which the
        index does not know all yet.
    :param zone: whose local time names are in; None is this machine's.
    :param product: full name of this product, as blocks tell it.
    :param is_busy: whether groups pile up in front of the writer: who can wait, waits.
    :param written_bytes: how much was recorded since the disk was opened.
    :param catch_up: has the index know all that is durable, as far as it takes it; not to be called
        within a transaction.
    :param settled: to be told when nothing of an earlier run is unknown to the index any more.
    """

    files: IFiles
    folder: Path
    index: Index
    now: Callable[[], float]
    running: Callable[[], Container[str]]
    zone: tzinfo | None = None
    product: str = "axis_nvr"
    is_busy: Callable[[], bool] = lambda: False
    written_bytes: Callable[[], int] = lambda: 0
    catch_up: CatchUp = nothing_waits
    settled: Callable[[], None] = lambda: None


class Progress(NamedTuple):
    """How far a chore is, for people.

    :ivar words: what it does or what came of it, such as ``repairs 12 blocks``.
    :ivar total: how much there is to do, of which `done` is done; 0: nobody can tell.
    """

    words: str
    done: int = 0
    total: int = 0


class Chore(Protocol):
    """Work on a disk that goes on beside recording.

    A chore that people want to know of also has an attribute ``progress``: a `Progress`, or None
    while there is nothing to tell. It is replaced, never changed, so that any thread may read it.

    :ivar name: for the log, the status page and `Housekeeping.wake`.
    """

    name: str

    def step(self) -> float | None:
        """Do a little, some tens of milliseconds of work at most.

        :returns: seconds until the next step, 0 if there is more to do now; None when the chore is
            done for good.
        :raises NvrError: it did not work this time.
        """


@dataclass(frozen=True, slots=True)
class ChoreReport:
    """How a chore is.

    :param error: why its last step failed; empty: it did not.
    """

    name: str
    progress: Progress | None = None
    error: str = ""


@dataclass(slots=True, eq=False)
class _Entry:
    chore: Chore
    due: float
    is_woken: bool = False
    is_done: bool = False
    error: str = ""

    def report(self) -> ChoreReport:
        progress = getattr(self.chore, "progress", None)
        return ChoreReport(self.chore.name, progress, self.error)


@dataclass(slots=True, eq=False)
class Housekeeping:
    """Does chores in turns until it is stopped.

    :param monotonic: a clock that never steps, in seconds.
    :param failed: told of a chore's name and what went wrong, in the housekeeping thread.
    """

    chores: Iterable[Chore]
    monotonic: Callable[[], float]
    failed: Callable[[str, Exception], None]
    _entries: list[_Entry] = field(init=False)
    _condition: Condition = field(init=False, default_factory=Condition)
    _is_stopping: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._entries = [_Entry(chore, 0.0) for chore in self.chores]

    def run(self) -> None:
        """Do chores until `stop` is called; the body of the housekeeping thread."""
        while (delay := self.step()) is not None:
            with self._condition:
                self._condition.wait_for(self._has_news, delay)

    def _has_news(self) -> bool:
        return self._is_stopping or any(entry.is_woken for entry in self._entries)

    def step(self) -> float | None:
        """Do one step of the chore that has been due longest.

        :returns: seconds until a chore is due; None once it is stopped.
        """
        with self._condition:
            if self._is_stopping:
                return None
            undone = (entry for entry in self._entries if not entry.is_done)
            entry = min(undone, key=lambda e: e.due, default=None)
            if entry is None:
                return RETRY_SECONDS
            now = self.monotonic()
            if entry.due > now and not entry.is_woken:
                return entry.due - now
            entry.is_woken = False
        try:
            delay, words = entry.chore.step(), ""
        except Exception as error:  # the outermost frame of this thread
            delay, words = RETRY_SECONDS, str(error) or type(error).__name__
            if words != entry.error:
                self.failed(entry.chore.name, error)
        with self._condition:
            entry.error = words
            if delay is None:
                entry.is_done = True
            else:
                entry.due = self.monotonic() + delay
        return 0.0

    def wake(self, name: str) -> None:
        """Let a chore have its next step at once; safe from any thread."""
        with self._condition:
            for entry in self._entries:
                if entry.chore.name == name and not entry.is_done:
                    entry.due, entry.is_woken = 0.0, True
            self._condition.notify_all()

    def report(self) -> tuple[ChoreReport, ...]:
        """Tell how all chores are, those that are done included; safe from any thread."""
        with self._condition:
            return tuple(entry.report() for entry in self._entries)

    def stop(self) -> None:
        """Let `run` return after the step under way; safe from any thread."""
        with self._condition:
            self._is_stopping = True
            self._condition.notify_all()
