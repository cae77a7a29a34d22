"""One timer for everything that a camera sends.

What is sent in time is planned against the clock (start + n / rate), so that a late turn does not
move those after it. All that is due runs in one turn of the reactor.
"""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, TypeAlias

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

#: What is due this soon runs in the same turn, in seconds.
GRANULARITY_SECONDS = 0.001

#: Called with the current time; returns when it is due again, or None.
Task: TypeAlias = Callable[[float], float | None]


class Pacer:
    """Calls tasks when they are due.

    :param clock: the reactor, for its clock and timer.
    """

    log = Logger()

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self._queue: list[tuple[float, int, Task]] = []
        self._tasks: set[Task] = set()
        self._number = count()
        self._timer: IDelayedCall | None = None
        self._running = False

    def add(self, due: float, task: Task) -> None:
        """Call `task` at `due`; it must not be among the tasks already."""
        self._tasks.add(task)
        heapq.heappush(self._queue, (due, next(self._number), task))
        self._schedule()

    def remove(self, task: Task) -> None:
        """Call `task` no more; one that is not there is no error."""
        self._tasks.discard(task)
        self._queue = [item for item in self._queue if item[2] != task]
        heapq.heapify(self._queue)
        self._schedule()

    def __len__(self) -> int:
        return len(self._tasks)

    def _schedule(self) -> None:
        """Set the timer for what is due first."""
        if self._running:
            return
        if self._timer is not None:
            if self._queue and self._timer.active() and self._timer.getTime() == self._queue[0][0]:
                return
            self._timer.cancel()
            self._timer = None
        if self._queue:
            delay = max(0.0, self._queue[0][0] - self.clock.seconds())
            self._timer = self.clock.callLater(delay, self._run)

    def _run(self) -> None:
        """Call what is due, each task once."""
        self._timer = None
        self._running = True
        now = self.clock.seconds()
        due_now = []
        while self._queue and self._queue[0][0] <= now + GRANULARITY_SECONDS:
            due_now.append(heapq.heappop(self._queue)[2])
        for task in due_now:
            if task in self._tasks:
                self._call(task, now)
        self._running = False
        self._schedule()

    def _call(self, task: Task, now: float) -> None:
        """Call one task, and queue it again if it wants to; not in this turn."""
        due = None
        try:
            due = task(now)
        except Exception:  # the outermost frame of one task: the others go on
            self.log.failure("while sending on time")
        if due is not None and task in self._tasks:
            heapq.heappush(self._queue, (due, next(self._number), task))
        else:
            self._tasks.discard(task)
