"""The event bus: everything that happens passes it, and whoever wants to hear of it listens.

There are two kinds of events. One that has a state, a *property*, is told as ``Initialized`` when
an instance of it appears, as ``Changed`` when its state does, as ``Deleted`` when it is gone; its
topic and its source tell one instance from another. One without a state is told when it happens,
and forgotten.

**Order.** Every listener hears everything in the order in which it was published, also what another
listener publishes while it is told: that waits until all have heard what came before. A listener
hears what is published after it came. Who wants the states first reads `states` and subscribes in
the same turn of the reactor: nothing lies between.

All of this is for the reactor's thread. Publishing never waits for anybody, so a listener must not
either. One that raises is reported in the log and stays.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from twisted.logger import Logger

from axis_nvr.errors import LocalProtocolError
from axis_nvr.services.event_declaration import EventDeclaration, ItemDeclaration
from axis_nvr.wire.item_filter import comparable
from axis_nvr.wire.notification import Items, Notification, Operation
from axis_nvr.wire.topics import normalized

#: What listeners may publish while they are told of one thing, and what comes of that. More is a
#: loop of listeners that answer each other: it is cut, and said in the log.
MAX_TOLD_IN_ONE_TURN = 20_000

Listener = Callable[[Notification], None]
#: Which instance of a property.
_Instance = tuple[tuple[str, str], ...]


class EventBus:
    """Holds the states of all events and tells of what happens.

    :param utc_us: the wall clock, microseconds since 1970.
    """

    log = Logger()

    def __init__(self, utc_us: Callable[[], int]) -> None:
        self._utc_us = utc_us
        self._declarations: dict[str, EventDeclaration] = {}
        self._states: dict[str, dict[_Instance, Notification]] = {}
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._waiting: deque[tuple[Notification, tuple[_Subscription, ...]]] = deque()
        self._is_telling = False

    # --- What there is ---

    def declare(self, declaration: EventDeclaration) -> None:
        """Make an event known; an earlier declaration of the same topic is replaced.

        :raises WireError: its topic is none.
        """
        topic = normalized(declaration.topic)
        names = {normalized(level): name for level, name in declaration.level_names.items()}
        self._declarations[topic] = replace(declaration, topic=topic, level_names=names)

    @property
    def declarations(self) -> Mapping[str, EventDeclaration]:
        """All events by topic, in the order in which they were declared.

        The values of source items are those declared and those of living instances.
        """
        return {topic: self._living(known) for topic, known in self._declarations.items()}

    def _living(self, declaration: EventDeclaration) -> EventDeclaration:
        """A declaration with the values of what lives."""
        living = self._states.get(declaration.topic)
        if not living or not declaration.source:
            return declaration
        seen = [dict(state.source) for state in living.values()]
        return replace(declaration, source=tuple(_valued(i, seen) for i in declaration.source))

    def state(self, topic: str, source: Items = ()) -> Notification | None:
        """The state of one instance, as ``Initialized``; None if it does not live."""
        return self._states.get(normalized(topic), {}).get(_instance(source))

    def states(self) -> list[Notification]:
        """All that live, as ``Initialized``; their times are those of their last changes."""
        return [state for living in self._states.values() for state in living.values()]

    # --- What happens ---

    def set_state(
        self, topic: str, data: Items, source: Items = (), *, utc_us: int | None = None
    ) -> bool:
        """Say how a property stands.

        :param source: in any order.
        :param data: all of its state, the state item first.
        :param utc_us: since when; now if None.
        :returns: whether anything was told. Nothing is if it stood so already; ``true`` and ``1``
            are the same, and so are ``false`` and ``0``.
        :raises LocalProtocolError: it is not declared as a property.
        """
        topic = self._declared(topic, is_property=True)
        living = self._states.setdefault(topic, {})
        instance = _instance(source)
        before = living.get(instance)
        if before is not None and _alike(before.data, data):
            return False
        at = self._utc_us() if utc_us is None else utc_us
        now = Notification(topic, at, Operation.INITIALIZED, source, data)
        if before is not None:
            now = now._replace(source=before.source)
        living[instance] = now
        told = now if before is None else now._replace(operation=Operation.CHANGED)
        self._publish(told)
        return True

    def delete(self, topic: str, source: Items = ()) -> None:
        """Say that an instance of a property is gone; nothing happens if it does not live."""
        topic = normalized(topic)
        before = self._states.get(topic, {}).pop(_instance(source), None)
        if before is not None:
            self._publish(before._replace(operation=Operation.DELETED, utc_us=self._utc_us()))

    def emit(
        self, topic: str, data: Items = (), source: Items = (), *, utc_us: int | None = None
    ) -> None:
        """Tell of an event that has no state.

        :raises LocalProtocolError: it is not declared, or as a property.
        """
        topic = self._declared(topic, is_property=False)
        at = self._utc_us() if utc_us is None else utc_us
        self._publish(Notification(topic, at, None, source, data))

    def _declared(self, topic: str, *, is_property: bool) -> str:
        """The topic as it is kept."""
        topic = normalized(topic)
        declaration = self._declarations.get(topic)
        if declaration is None or declaration.is_property is not is_property:
            kind = "a property" if is_property else "an event without a state"
            raise LocalProtocolError(f"{topic} is not declared as {kind}")
        return topic

    # --- Who hears of it ---

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with everything that is published from now on.

        :returns: what ends it; at once, also while something is being told, and harmless twice.
        """
        subscription = _Subscription(listener)
        self._subscriptions += (subscription,)

        def unsubscribe() -> None:
            subscription.is_active = False
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)

        return unsubscribe

    def _publish(self, notification: Notification) -> None:
        """Tell all who listen, once they have heard what came before."""
        self._waiting.append((notification, self._subscriptions))
        if self._is_telling:
            return
        self._is_telling = True
        try:
            self._tell_waiting()
        finally:
            self._is_telling = False

    def _tell_waiting(self) -> None:
        for _ in range(MAX_TOLD_IN_ONE_TURN):
            if not self._waiting:
                return
            notification, subscriptions = self._waiting.popleft()
            for subscription in subscriptions:
                if subscription.is_active:
                    with self.log.failuresHandled(
                        "while telling of {topic}", topic=notification.topic
                    ):
                        subscription.listener(notification)
        if self._waiting:
            self._cut_short()

    def _cut_short(self) -> None:
        """End a loop of listeners; the states are as they were set, and are right."""
        self.log.error(
            "listeners answer each other without end: {count} events are not told",
            count=len(self._waiting),
        )
        self._waiting.clear()


class _Subscription:
    """One who listens, until it does no more."""

    __slots__ = ("is_active", "listener")

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.is_active = True


def _instance(source: Items) -> _Instance:
    """What tells one instance from another: the order of items does not."""
    return source if len(source) < 2 else tuple(sorted(source))


def _alike(data: Items, other: Items) -> bool:
    """Tell whether two states are the same."""
    return data == other or [(name, comparable(value)) for name, value in data] == [
        (name, comparable(value)) for name, value in other
    ]


def _valued(item: ItemDeclaration, seen: list[dict[str, str]]) -> ItemDeclaration:
    """An item with the values that it has somewhere."""
    values = dict.fromkeys(item.values)
    values.update(dict.fromkeys(source[item.name] for source in seen if item.name in source))
    return replace(item, values=tuple(values))
