"""The rules at work: hears everything on the bus, and lets each rule know what concerns it."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from axis_nvr.errors import NvrError
from axis_nvr.services.actions.interfaces import IAction
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.rules.model import ActionRule
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.services.rules.runner import Runner
from axis_nvr.services.rules.templates import is_unlimited
from axis_nvr.services.rules.watch import Watch, Watched
from axis_nvr.wire.notification import Notification, Operation

#: An event that is told later than this counts from now, and so does one of the future, in µs: the
#: clock of a camera may be wrong, and a state that is told for the first time may be old.
MAX_AGE_US = 10_000_000

#: Makes an action: token of its template, its values, name of the rule, what is told of failures.
Make = Callable[[str, Mapping[str, str], str, Callable[[str], None]], IAction]


@dataclass(slots=True)
class _Interested:
    """Whose conditions and whose start event a filter is."""

    by_condition: list[Runner] = field(default_factory=list)
    by_start: list[Runner] = field(default_factory=list)


class RuleEngine:
    """Runs the rules of a book.

    :param make: makes actions.
    :param utc_us: the wall clock, µs since 1970.
    :param tell: tells everybody that an action failed.
    """

    log = Logger()

    def __init__(
        self,
        book: RuleBook,
        bus: EventBus,
        make: Make,
        clock: IReactorTime,
        utc_us: Callable[[], int],
        tell: Callable[[str], None],
    ) -> None:
        self.clock = clock
        self.utc_us = utc_us
        self.tell = tell
        self._book = book
        self._bus = bus
        self._make = make
        self._watch = Watch()
        self._interested: defaultdict[Watched, _Interested] = defaultdict(_Interested)
        self._runners: dict[int, Runner] = {}
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def runners(self) -> Mapping[int, Runner]:
        """The rules that are enabled and work, by id."""
        return self._runners

    def start(self) -> None:
        """Let all rules work, those that are added from now on too."""
        self._book.added = self._added
        self._book.removed = self._removed
        added = [self._take_in(rule) for rule in self._book.rules]
        self._watch.restart(self._bus.states())
        self._unsubscribe = self._bus.subscribe(self._hear)
        for runner in added:
            if runner is not None:
                runner.begin()

    def halt(self) -> None:
        """Begin nothing any more: the recorder stops. What records is for the recorder to end."""
        self._book.added = lambda rule: None
        self._book.removed = lambda rule_id: None
        if self._unsubscribe is not None:
            self._unsubscribe()
        for runner in self._runners.values():
            runner.halt()
        self._runners.clear()

    # Rules that come and go.

    def _take_in(self, rule: ActionRule) -> Runner | None:
        if not rule.enabled:
            return None
        try:
            template = self._book.actions.find(rule.primary_action).template
            start = self._watch.add(rule.start_event) if rule.start_event is not None else None
            conditions = tuple(self._watch.add(condition) for condition in rule.conditions)
        except NvrError as error:  # it was read once: only another version can come to this
            self.log.error("rule {rule} does not work: {error}", rule=rule.id, error=str(error))
            return None
        runner = Runner(rule, start, conditions, is_unlimited(template), self)
        for watched in dict.fromkeys(conditions):
            self._interested[watched].by_condition.append(runner)
        if start is not None:
            self._interested[start].by_start.append(runner)
        self._runners[rule.id] = runner
        return runner

    def _added(self, rule: ActionRule) -> None:
        runner = self._take_in(rule)
        if runner is not None:
            self._watch.restart(self._bus.states())
            runner.begin()

    def _removed(self, rule_id: int) -> None:
        runner = self._runners.pop(rule_id, None)
        if runner is None:
            return
        runner.end()
        rule = runner.rule
        for text in (rule.start_event, *rule.conditions):
            if text is not None:
                self._watch.remove(text)
        for watched, interested in list(self._interested.items()):
            for runners in (interested.by_condition, interested.by_start):
                if runner in runners:
                    runners.remove(runner)
            if not interested.by_condition and not interested.by_start:
                del self._interested[watched]
        self._watch.restart(self._bus.states())

    # What happens.

    def _hear(self, notification: Notification) -> None:
        change = self._watch.take(notification)
        if not change.turned and not change.happened:
            return
        utc_us = self._when(notification)
        runners = {
            runner.rule.id: runner
            for watched in change.turned
            for runner in self._interested[watched].by_condition
        }
        for rule_id in sorted(runners):
            runners[rule_id].look(utc_us, is_news=change.is_news)
        for watched in change.happened:
            for runner in list(self._interested[watched].by_start):
                runner.happened(utc_us, notification)

    def _when(self, notification: Notification) -> int:
        """Give the time from which what it triggers counts."""
        now = self.utc_us()
        if notification.operation is Operation.INITIALIZED:
            return now
        return notification.utc_us if 0 <= now - notification.utc_us <= MAX_AGE_US else now

    # What rules need: see `axis_nvr.services.rules.runner.Circumstances`.

    def make(self, rule: ActionRule, failed: Callable[[str], None]) -> IAction:
        """Make the action of a rule."""
        action = self._book.actions.find(rule.primary_action)
        return self._make(action.template, action.values, rule.name or f"rule {rule.id}", failed)
