"""Which filters are true: one notification against the filters of all rules, in little time.

Filters of the same words are one, however many rules have them. For each topic the filters are
found once, and the ones that match what a notification says are remembered by what it says: states
repeat, so a notification mostly costs two look-ups, and then what changes. Topics are few: the bus
takes none that is not declared.
"""

from dataclasses import dataclass, field

from axis_nvr.services.rules.filters import compiled
from axis_nvr.services.rules.model import FilterText
from axis_nvr.wire.event_filter import EventFilter
from axis_nvr.wire.notification import Items, Notification, Operation

#: Sayings remembered for each topic. Beyond that all are forgotten, and remembered anew.
MAX_REMEMBERED = 4096
#: Instances of one topic known again without a filter that matches them; those with one are all
#: known.
MAX_INSTANCES = 4096


@dataclass(eq=False, slots=True)
class Watched:
    """A filter that rules have.

    :ivar true_of: of how many instances of properties it is true now.
    """

    filter: EventFilter
    true_of: int = 0

    @property
    def is_true(self) -> bool:
        """Whether it is true of any instance that lives."""
        return self.true_of > 0


_NONE: frozenset[Watched] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """What a notification means for the filters.

    :param turned: those that were true of nothing and are now true, or the other way round.
    :param happened: those of which it is news that they match: an event without a state, or an
        instance of which it was not true before.
    :param is_news: whether something has changed, in contrast to being told for the first time.
    """

    turned: tuple[Watched, ...]
    happened: tuple[Watched, ...]
    is_news: bool


_NOTHING = Change((), (), False)


@dataclass(slots=True)
class _Topic:
    """A topic and the filters that want it.

    :ivar matching: by what a notification says, those that match it.
    :ivar instances: by source and key, those that match it now; an instance that is gone stays with
        none, so that it is known again.
    """

    filters: tuple[Watched, ...]
    matching: dict[tuple[Items, Items, Items], frozenset[Watched]] = field(default_factory=dict)
    instances: dict[tuple[Items, Items], frozenset[Watched]] = field(default_factory=dict)

    def matched(self, notification: Notification) -> frozenset[Watched]:
        said = (notification.source, notification.key, notification.data)
        found = self.matching.get(said)
        if found is None:
            if len(self.matching) >= MAX_REMEMBERED:
                self.matching.clear()
            items = [*notification.source, *notification.key, *notification.data]
            found = self.matching[said] = frozenset(
                watched
                for watched in self.filters
                if all(content.matches(items) for content in watched.filter.contents)
            )
        return found

    def put(self, instance: tuple[Items, Items], matched: frozenset[Watched]) -> None:
        if instance not in self.instances and len(self.instances) >= MAX_INSTANCES:
            idle = next((key for key, found in self.instances.items() if not found), None)
            if idle is not None:
                del self.instances[idle]
        self.instances[instance] = matched


class Watch:
    """The filters of all rules.

    `add` and `remove` what rules have; then `restart` with the states that there are.
    """

    def __init__(self) -> None:
        self._filters: dict[FilterText, tuple[Watched, int]] = {}
        self._topics: dict[str, _Topic] = {}

    def add(self, text: FilterText) -> Watched:
        """Take in a filter; one that is there already is given again.

        :raises RuleError: it cannot be read.
        """
        watched, users = self._filters.get(text, (None, 0))
        if watched is None:
            watched = Watched(compiled(text))
        self._filters[text] = (watched, users + 1)
        return watched

    def remove(self, text: FilterText) -> None:
        """Let go of a filter, as often as it was added."""
        watched, users = self._filters.pop(text)
        if users > 1:
            self._filters[text] = (watched, users - 1)

    def restart(self, states: list[Notification]) -> None:
        """Look at all filters anew, as things are; instances known before stay known."""
        before = self._topics
        self._topics = {}
        for watched, _ in self._filters.values():
            watched.true_of = 0
        for topic, known in before.items():
            instances = self._topic(topic).instances
            instances.update(dict.fromkeys(known.instances, _NONE))
        for state in states:
            self.take(state)

    def take(self, notification: Notification) -> Change:
        """Take note of a notification, and say what it means."""
        topic = self._topics.get(notification.topic) or self._topic(notification.topic)
        if not topic.filters:
            return _NOTHING
        operation = notification.operation
        matched = _NONE if operation is Operation.DELETED else topic.matched(notification)
        if operation is None:
            return Change((), _ordered(topic, matched), True) if matched else _NOTHING
        instance = (tuple(sorted(notification.source)), notification.key)
        before = topic.instances.get(instance)
        topic.put(instance, matched)
        is_news = before is not None or operation is not Operation.INITIALIZED
        before = before or _NONE
        if before == matched:
            return _NOTHING
        turned = []
        for watched in matched - before:
            watched.true_of += 1
            if watched.true_of == 1:
                turned.append(watched)
        for watched in before - matched:
            watched.true_of -= 1
            if not watched.true_of:
                turned.append(watched)
        return Change(tuple(turned), _ordered(topic, matched - before) if is_news else (), is_news)

    def _topic(self, name: str) -> _Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(self._wanting(name))
        return topic

    def _wanting(self, topic: str) -> tuple[Watched, ...]:
        filters = (watched for watched, _ in self._filters.values())
        return tuple(
            watched
            for watched in filters
            if watched.filter.topic is None or watched.filter.topic.matches(topic)
        )


def _ordered(topic: _Topic, some: frozenset[Watched]) -> tuple[Watched, ...]:
    """Give them in the order in which they were added."""
    return tuple(watched for watched in topic.filters if watched in some) if some else ()
