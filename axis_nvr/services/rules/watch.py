"""Which filters are true: one notification against the filters of all rules, in little time.

Filters of the same words are one, however many rules have them. For each topic the filters are
found once, and put where the items are that they ask for: of a thousand filters that name a device
each, the ones of the device are looked at. What they come to is remembered by what a notification
says: states repeat, so a notification mostly costs two look-ups, and then what changes. Topics are
few: the bus takes none that is not declared.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from axis_nvr.services.rules.filters import compiled
from axis_nvr.services.rules.model import FilterText
from axis_nvr.wire.event_filter import EventFilter
from axis_nvr.wire.item_filter import comparable
from axis_nvr.wire.notification import Items, Notification, Operation

#: Sayings remembered for each topic. Beyond that all are forgotten, and remembered anew.
MAX_REMEMBERED = 4096
#: Instances of one topic that are known again though no filter matched them last; those that one
#: matches are all known.
MAX_OTHERS = 4096

_Pair = tuple[str, str]
_Instance = tuple[Items, Items]
#: ``//SimpleItem[@Name="…" and @Value="…"]``.
_ITEM = re.compile(
    r"""//(?:\w+:)?SimpleItem\s*\[\s*@Name\s*=\s*("[^"]*"|'[^']*')\s*and\s*@Value\s*=\s*("[^"]*"|'[^']*')\s*\]"""
)
#: What may stand around items if all of them must be there.
_BETWEEN = re.compile(r"(?:\s|\(|\)|boolean|and)*")


@dataclass(eq=False, slots=True)
class Watched:
    """A filter that rules have.

    :ivar pairs: items that a notification must have to match, as far as that is easily seen.
    :ivar number: counts the filters, in the order in which they came.
    :ivar true_of: of how many instances of properties it is true now.
    """

    filter: EventFilter
    pairs: frozenset[_Pair]
    number: int
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


def required(contents: Iterable[str]) -> frozenset[_Pair]:
    """Find items without which no notification matches; of an involved expression none.

    :param contents: item filters that can be read.
    :returns: names and values, the latter as they are compared.
    """
    found = set()
    for text in contents:
        if _BETWEEN.fullmatch(_ITEM.sub("", text)):
            found |= {(m[1][1:-1], comparable(m[2][1:-1])) for m in _ITEM.finditer(text)}
    return frozenset(found)


class _Topic:
    """A topic and the filters that want it.

    :ivar matching: by what a notification says, those that match it.
    :ivar instances: by source and key, those that match an instance now.
    :ivar others: instances that none matches: told of before, and maybe gone; the oldest first.
    """

    def __init__(self, filters: tuple[Watched, ...]) -> None:
        self.filters = filters
        self.matching: dict[tuple[Items, Items, Items], frozenset[Watched]] = {}
        self.instances: dict[_Instance, frozenset[Watched]] = {}
        self.others: dict[_Instance, None] = {}
        self._by_pair: dict[_Pair, list[Watched]] = {}
        self._others: list[Watched] = []
        often = Counter(pair for watched in filters for pair in watched.pairs)
        for watched in filters:
            rarest = min(watched.pairs, key=lambda pair: (often[pair], pair), default=None)
            here = self._others if rarest is None else self._by_pair.setdefault(rarest, [])
            here.append(watched)

    def matched(self, notification: Notification) -> frozenset[Watched]:
        """Give the filters that match a notification."""
        said = (notification.source, notification.key, notification.data)
        found = self.matching.get(said)
        if found is None:
            if len(self.matching) >= MAX_REMEMBERED:
                self.matching.clear()
            items = [*notification.source, *notification.key, *notification.data]
            found = self.matching[said] = frozenset(
                watched
                for watched in self._candidates(items)
                if all(content.matches(items) for content in watched.filter.contents)
            )
        return found

    def _candidates(self, items: list[_Pair]) -> Iterable[Watched]:
        """Give the filters that may match: those without items, and those of these."""
        yield from self._others
        for name, value in set(items):
            yield from self._by_pair.get((name, comparable(value)), ())

    def put(self, instance: _Instance, matched: frozenset[Watched]) -> frozenset[Watched] | None:
        """Keep what matches an instance now.

        :returns: what did before; None if it was never told of.
        """
        before = self.instances.pop(instance, None)
        if before is None and instance in self.others:
            del self.others[instance]
            before = _NONE
        if matched:
            self.instances[instance] = matched
        else:
            self.others[instance] = None
            if len(self.others) > MAX_OTHERS:
                del self.others[next(iter(self.others))]
        return before


class Watch:
    """The filters of all rules.

    `add` and `remove` what rules have; then `restart` with the states that there are.
    """

    def __init__(self) -> None:
        self._filters: dict[FilterText, tuple[Watched, int]] = {}
        self._by_topic: dict[str, dict[Watched, None]] = {}
        self._numbers = itertools.count()
        self._topics: dict[str, _Topic] = {}

    def add(self, text: FilterText) -> Watched:
        """Take in a filter; one that is there already is given again.

        :raises RuleError: it cannot be read.
        """
        watched, users = self._filters.get(text, (None, 0))
        if watched is None:
            watched = Watched(compiled(text), required(text.contents), next(self._numbers))
            self._by_topic.setdefault(text.topic, {})[watched] = None
        self._filters[text] = (watched, users + 1)
        return watched

    def remove(self, text: FilterText) -> None:
        """Let go of a filter, as often as it was added."""
        watched, users = self._filters.pop(text)
        if users > 1:
            self._filters[text] = (watched, users - 1)
            return
        alike = self._by_topic[text.topic]
        del alike[watched]
        if not alike:
            del self._by_topic[text.topic]

    def restart(self, states: list[Notification]) -> None:
        """Look at all filters anew, as things are; instances known before stay known."""
        before = self._topics
        self._topics = {}
        for watched, _ in self._filters.values():
            watched.true_of = 0
        for topic, known in before.items():
            self._topic(topic).others = dict.fromkeys((*known.others, *known.instances))
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
            return Change((), _ordered(matched), True) if matched else _NOTHING
        instance = (tuple(sorted(notification.source)), notification.key)
        before = topic.put(instance, matched)
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
        return Change(tuple(turned), _ordered(matched - before) if is_news else (), is_news)

    def _topic(self, name: str) -> _Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(self._wanting(name))
        return topic

    def _wanting(self, topic: str) -> tuple[Watched, ...]:
        """Give the filters that want a topic: those of one topic expression want it or not."""
        found: list[Watched] = []
        for alike in self._by_topic.values():
            wanted = next(iter(alike)).filter.topic
            if wanted is None or wanted.matches(topic):
                found += alike
        return tuple(found)


def _ordered(some: frozenset[Watched]) -> tuple[Watched, ...]:
    """Give them in the order in which they came."""
    return tuple(sorted(some, key=lambda watched: watched.number))
