"""From the words of a rule to what is compared: filters of events, and what a condition may be.

A condition describes **one** event that has a state: of all properties that are declared its topic
expression names one, and its message content can be true of an instance of it that is known. Where
it can be true of several, such as of any disk, it holds while it is true of one of them.

That is looked at when a rule is added. Later an instance may go and come again, and after a restart
most come later than the rules: a condition does not hold until there is one of which it is true.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice, product

from axis_nvr.errors import WireError
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import BOOLEAN, EventDeclaration, ItemDeclaration
from axis_nvr.services.rules.errors import (
    InvalidConditionFilter,
    InvalidFilter,
    InvalidMessageContentExpression,
    InvalidTopicExpression,
    UnknownTopicDialect,
)
from axis_nvr.services.rules.model import CONCRETE, CONCRETE_SET, TOPIC_DIALECTS, FilterText
from axis_nvr.wire.event_filter import EventFilter
from axis_nvr.wire.item_filter import ItemFilter
from axis_nvr.wire.topics import TopicFilter

#: Message content expressions of one filter.
MAX_CONTENTS = 16
#: States of one event that are tried to find one of which a condition is true.
MAX_TRIED = 10_000

_UNMATCHED = "could not match any property events"
_Items = tuple[tuple[str, str], ...]


def compiled(text: FilterText) -> EventFilter:
    """Read the expressions of a filter.

    :raises UnknownTopicDialect: see there, and the next ones.
    :raises InvalidTopicExpression:
    :raises InvalidMessageContentExpression:
    :raises InvalidFilter: there is nothing in it, or too much.
    """
    dialect = text.topic_dialect or CONCRETE
    if dialect not in TOPIC_DIALECTS:
        raise UnknownTopicDialect(f"unknown dialect of a topic expression: {dialect!a:.120}")
    if len(text.contents) > MAX_CONTENTS:
        raise InvalidFilter(f"a filter has at most {MAX_CONTENTS} message contents")
    if not text.topic.strip() and not any(content.strip() for content in text.contents):
        raise InvalidFilter("a filter must have a topic or a message content")
    try:
        topic = TopicFilter.parse(text.topic, "|" if dialect == CONCRETE_SET else "")
    except WireError as error:
        raise InvalidTopicExpression(f"failed to parse topic expression: {error}") from error
    try:
        contents = tuple(ItemFilter.parse(content) for content in text.contents)
    except WireError as error:
        raise InvalidMessageContentExpression(f"failed to parse content: {error}") from error
    return EventFilter(topic, contents)


def check_condition(condition: EventFilter, bus: EventBus) -> None:
    """See that a condition describes one event that has a state, and an instance that is known.

    :raises InvalidConditionFilter: it does not.
    """
    topic = condition.topic
    named = [
        declaration
        for declaration in bus.declarations.values()
        if declaration.is_property and (topic is None or topic.matches(declaration.topic))
    ]
    if not named:
        raise InvalidConditionFilter(_UNMATCHED)
    if len(named) > 1:
        several = ", ".join(declaration.topic for declaration in named[:3])
        raise InvalidConditionFilter(f"a condition must describe one property event, not {several}")
    said = islice(_possible(named[0], bus), MAX_TRIED)
    if not any(all(content.matches(items) for content in condition.contents) for items in said):
        raise InvalidConditionFilter(_UNMATCHED)


def _possible(declaration: EventDeclaration, bus: EventBus) -> Iterator[_Items]:
    """Give what the event may say: of each instance, with its booleans true and false.

    Other values are tried as they are now, of instances that live, and as they are declared.
    """
    living = [state for state in bus.states() if state.topic == declaration.topic]
    booleans = [item for item in declaration.data if item.type == BOOLEAN]
    others = [item for item in declaration.data if item.type != BOOLEAN]
    known = {state.source: _except(state.data, booleans) for state in living}
    declared: Iterable[_Items] = _combined(declaration.source)
    for source in chain(known, (source for source in declared if source not in known)):
        for states in _combined([replace(item, values=("1", "0")) for item in booleans]):
            for rest in chain([known.get(source, ())], _combined(others)):
                yield (*source, *states, *rest)


def _except(data: _Items, items: Iterable[ItemDeclaration]) -> _Items:
    names = {item.name for item in items}
    return tuple(pair for pair in data if pair[0] not in names)


def _combined(items: Iterable[ItemDeclaration]) -> Iterator[_Items]:
    """Give all combinations of the values of items; none where an item has no known values."""
    return product(*([(item.name, value) for value in item.values] for item in items))
