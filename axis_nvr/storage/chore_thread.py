"""The housekeeping thread of one disk: its chores, an index connection of its own, its end.

Steps, all but the second in the writer thread:

1. `start`, once the disk is open and its index prepared, opens the index a second time, makes the
   chores and starts the thread.
2. The thread does chores in turns (`axis_nvr.storage.housekeeping`).
3. `stop` ends it after the step under way and waits for that, then closes the connection: the disk
   closes its index and its lock only after this, so that no chore ever works on a disk that another
   recorder has.
"""

from collections.abc import Callable, Sequence
from threading import Event
from typing import TypeAlias

from axis_nvr.storage.housekeeping import Chore, ChoreReport, Housekeeping, Premises
from axis_nvr.storage.threads import StartThread

#: Makes a chore when its disk is opened; called in the writer thread.
ChoreMaker: TypeAlias = Callable[[Premises], Chore]


class ChoreThread:
    """Does a disk's chores while it is open; started once.

    :param makers: of the chores, in the order in which they have their first step.
    :param monotonic: a clock that never steps, in seconds.
    :param failed: told of a chore's name and what went wrong, in the housekeeping thread.
    """

    def __init__(
        self,
        makers: Sequence[ChoreMaker],
        start_thread: StartThread,
        monotonic: Callable[[], float],
        failed: Callable[[str, Exception], None],
    ) -> None:
        self._makers = makers
        self._start_thread = start_thread
        self._monotonic = monotonic
        self._failed = failed
        self._housekeeping: Housekeeping | None = None
        self._ended = Event()

    def start(self, premises: Premises, name: str) -> None:
        """Make the chores and begin; the premises' index is closed at the end.

        :raises NvrError: a chore could not be made.
        """
        try:
            chores = [make(premises) for make in self._makers]
        except BaseException:
            premises.index.close()
            raise
        housekeeping = Housekeeping(chores, self._monotonic, self._failed)

        def run() -> None:
            try:
                housekeeping.run()
            finally:
                premises.index.close()
                self._ended.set()

        self._housekeeping = housekeeping
        self._start_thread(run, name)

    def wake(self, name: str) -> None:
        """Let a chore have its next step at once; safe from any thread."""
        if self._housekeeping is not None:
            self._housekeeping.wake(name)

    def report(self) -> tuple[ChoreReport, ...]:
        """Tell how far the chores are; safe from any thread."""
        return () if self._housekeeping is None else self._housekeeping.report()

    def stop(self) -> None:
        """End the thread after the step under way, and wait until it has ended."""
        if self._housekeeping is not None:
            self._housekeeping.stop()
            self._ended.wait()
            self._housekeeping = None
