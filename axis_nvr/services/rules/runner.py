"""One rule at work: when its action begins, ends, and is held back.

====================  ==========================================================================
fixed action          runs once when the start event happens and all conditions hold; without a
                      start event when the last condition becomes true
unlimited action      runs from when all conditions hold until one does not; with a start event
                      it begins with that
activation timeout    the least time between two beginnings. What would begin earlier is left out;
                      an unlimited action without a start event begins late, if its conditions
                      still hold then
====================  ==========================================================================

How things are when a rule is added, or found at a start, is no event: an unlimited action whose
conditions hold begins at once, a fixed one waits for something to happen.
"""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from axis_nvr.errors import NvrError
from axis_nvr.services.actions.interfaces import IAction
from axis_nvr.services.rules.model import ActionRule
from axis_nvr.services.rules.watch import Watched
from axis_nvr.wire.notification import Notification

#: One event tells of failures of a rule, and then none for so long, in seconds: a rule that starts
#: with such an event, and fails itself, goes no faster.
FAILURES_EVERY_SECONDS = 10.0


class Circumstances(Protocol):
    """What a rule needs of the world around it."""

    @property
    def clock(self) -> IReactorTime:
        """What time is counted by."""

    def utc_us(self) -> int:
        """Give the time of day, µs since 1970."""

    def make(self, rule: ActionRule, failed: Callable[[str], None]) -> IAction:
        """Make the action of a rule.

        :raises NvrError: it cannot be made.
        """

    @property
    def tell(self) -> Callable[[str], None]:
        """What tells everybody that an action failed, in words."""


class Runner:
    """A rule that is enabled.

    :param start: what its start event is, None without one.
    :param conditions: what must be so.
    :ivar trouble: why its action cannot run; empty if it can.
    """

    log = Logger()

    def __init__(
        self,
        rule: ActionRule,
        start: Watched | None,
        conditions: tuple[Watched, ...],
        is_unlimited: bool,
        around: Circumstances,
    ) -> None:
        self.rule = rule
        self.trouble = ""
        self._has_start_event = start is not None
        self._conditions = conditions
        self._is_unlimited = is_unlimited
        self._around = around
        self._action: IAction | None = None
        self._holds = False
        self._is_running = False
        self._last_begin: float | None = None
        self._later: IDelayedCall | None = None
        self._quiet_until: float | None = None
        self._untold = 0

    @property
    def name(self) -> str:
        """Its name, for people and recordings."""
        return self.rule.name or f"rule {self.rule.id}"

    # What happens around it.

    def begin(self) -> None:
        """Begin to work, as things are now."""
        self._arm()
        self.look(self._around.utc_us(), is_news=False)

    def look(self, utc_us: int, *, is_news: bool) -> None:
        """See whether all conditions hold.

        :param utc_us: when they changed.
        :param is_news: whether something has happened, in contrast to being found so.
        """
        holds = bool(self._conditions) and all(watched.is_true for watched in self._conditions)
        if holds == self._holds:
            return
        self._holds = holds
        if not holds:
            self._stop(utc_us)
        elif self._is_unlimited and not self._has_start_event:
            self._start(utc_us)
        elif not self._is_unlimited and not self._has_start_event and is_news:
            self._fire(utc_us, None)

    def happened(self, utc_us: int, notification: Notification) -> None:
        """Hear that the start event has happened."""
        if self._conditions and not self._holds:
            return
        if not self._is_unlimited:
            self._fire(utc_us, notification)
        elif not self._is_running:
            self._start(utc_us)

    def end(self) -> None:
        """Stop working; what runs is ended."""
        self._cancel_later()
        if self._is_running:
            self._stop(self._around.utc_us())
        self._disarm()

    def halt(self) -> None:
        """Begin nothing any more; what goes on is for others to end."""
        self._cancel_later()
        if self._action is not None:
            self._action.halt()

    # What it does.

    def _start(self, utc_us: int) -> None:
        wait = self._wait()
        if wait > 0:
            if not self._has_start_event and self._later is None:
                self._later = self._around.clock.callLater(wait, self._start_late)
            return
        self._note_begin()
        self._is_running = True
        self._run(utc_us)

    def _start_late(self) -> None:
        self._later = None  # all conditions have held since: `_stop` would have cancelled it
        self._start(self._around.utc_us())

    def _run(self, utc_us: int) -> None:
        action = self._armed()
        if action is not None:
            with self.log.failuresHandled("while beginning {rule}", rule=self.name):
                action.start(utc_us)

    def _stop(self, utc_us: int) -> None:
        self._cancel_later()
        if not self._is_running:
            return
        self._is_running = False
        if self._action is not None:
            with self.log.failuresHandled("while ending {rule}", rule=self.name):
                self._action.stop(utc_us)

    def _fire(self, utc_us: int, notification: Notification | None) -> None:
        if self._wait() > 0:
            return
        self._note_begin()
        action = self._armed()
        if action is not None:
            with self.log.failuresHandled("while running {rule}", rule=self.name):
                action.fire(utc_us, notification)

    def _wait(self) -> float:
        """Give how long it must wait to begin again, in seconds."""
        least = self.rule.activation_timeout_seconds
        if not least or self._last_begin is None:
            return 0.0
        return self._last_begin + least - self._around.clock.seconds()

    def _note_begin(self) -> None:
        self._last_begin = self._around.clock.seconds()

    def _cancel_later(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    # Its action.

    def _armed(self) -> IAction | None:
        """Give the action; if there is none, try once more to make it, and tell why not."""
        if self._action is None and not self._arm():
            self._failed(self.trouble)
        return self._action

    def _arm(self) -> bool:
        """Make the action, if that is possible."""
        try:
            self._action = self._around.make(self.rule, self._failed)
            self.trouble = ""
        except NvrError as error:
            if self.trouble != str(error):
                self.log.warn("{rule}: cannot run: {error}", rule=self.name, error=str(error))
            self.trouble = str(error)
        return self._action is not None

    def _disarm(self) -> None:
        """Let go of the action."""
        action, self._action = self._action, None
        if action is not None:
            with self.log.failuresHandled("while letting go of {rule}", rule=self.name):
                action.end()

    def _failed(self, words: str) -> None:
        """Tell that the action failed, not too often."""
        now = self._around.clock.seconds()
        if self._quiet_until is not None and now < self._quiet_until:
            self._untold += 1
            return
        self._quiet_until = now + FAILURES_EVERY_SECONDS
        before, self._untold = self._untold, 0
        more = f" (and {before} times before)" if before else ""
        self._around.tell(f"{self.name}: {words}{more}")
