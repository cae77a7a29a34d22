"""The event bus: states, order, and listeners that misbehave."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import LocalProtocolError, WireError
from axis_nvr.services import event_bus
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import BOOLEAN, STRING, EventDeclaration, ItemDeclaration
from axis_nvr.wire.notification import Items, Notification, Operation

DISRUPTION = "tnsaxis:Storage/Disruption"
FAILED = "tns1:Device/tnsaxis:SystemMessage/ActionFailed"
ON: Items = (("disruption", "1"),)
OFF: Items = (("disruption", "0"),)
DISK: Items = (("disk_id", "HDD_DISK"),)


class BusCase(SynchronousTestCase):
    """A bus with a property and an event without a state, and what one listener heard."""

    def setUp(self) -> None:
        self.now_us = 1
        self.bus = EventBus(lambda: self.now_us)
        self.bus.declare(
            EventDeclaration(
                "axis:Storage/axis:Disruption",
                is_property=True,
                source=(ItemDeclaration("disk_id", STRING, values=("SD_DISK",)),),
                data=(ItemDeclaration("disruption", BOOLEAN, is_state=True),),
            )
        )
        self.bus.declare(EventDeclaration(FAILED, data=(ItemDeclaration("description", STRING),)))
        self.heard: list[Notification] = []
        self.unsubscribe = self.bus.subscribe(self.heard.append)

    def told(self) -> list[tuple[Operation | None, str]]:
        """Operation and state of what was heard."""
        return [(n.operation, n.data[0][1]) for n in self.heard]


class StateTests(BusCase):
    def test_the_life_of_a_property(self) -> None:
        """Initialized, changed, deleted, each with its time, the full state and its source."""
        for now_us, step in enumerate(
            (
                lambda: self.assertTrue(self.bus.set_state(DISRUPTION, ON, DISK)),
                lambda: self.assertTrue(self.bus.set_state(DISRUPTION, OFF, DISK)),
                lambda: self.bus.delete(DISRUPTION, DISK),
                lambda: self.assertTrue(self.bus.set_state(DISRUPTION, OFF, DISK)),
            ),
            10,
        ):
            self.now_us = now_us
            step()
        self.assertEqual(
            self.heard,
            [
                Notification(DISRUPTION, 10, Operation.INITIALIZED, DISK, ON),
                Notification(DISRUPTION, 11, Operation.CHANGED, DISK, OFF),
                Notification(DISRUPTION, 12, Operation.DELETED, DISK, OFF),
                Notification(DISRUPTION, 13, Operation.INITIALIZED, DISK, OFF),
            ],
        )

    def test_nothing_is_told_twice(self) -> None:
        """A state that stands already is not told, however it is written."""
        self.assertTrue(self.bus.set_state(DISRUPTION, ON, DISK, utc_us=5))
        for same in (ON, (("disruption", "true"),), (("disruption", "True"),)):
            self.assertFalse(self.bus.set_state(DISRUPTION, same, DISK))
        self.bus.delete(DISRUPTION, (("disk_id", "other"),))
        self.assertEqual(self.told(), [(Operation.INITIALIZED, "1")])

    def test_any_item_makes_a_change(self) -> None:
        """Not the state item alone."""
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.assertTrue(self.bus.set_state(DISRUPTION, (*ON, ("why", "full")), DISK))

    def test_states(self) -> None:
        """What lives is told as Initialized, with the time of its last change."""
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.now_us = 7
        self.bus.set_state(DISRUPTION, OFF, DISK)
        self.now_us = 9
        self.bus.set_state(DISRUPTION, OFF, DISK)
        self.bus.emit(FAILED, (("description", "x"),))
        state = Notification(DISRUPTION, 7, Operation.INITIALIZED, DISK, OFF)
        self.assertEqual(self.bus.states(), [state])
        self.assertEqual(self.bus.state("axis:Storage/axis:Disruption", DISK), state)
        self.assertIsNone(self.bus.state(DISRUPTION))
        self.bus.delete(DISRUPTION, DISK)
        self.assertEqual(self.bus.states(), [])

    def test_the_order_of_source_items(self) -> None:
        """It makes no other instance, and the first one told stays."""
        self.bus.set_state(DISRUPTION, ON, (("a", "1"), ("b", "2")))
        self.bus.set_state(DISRUPTION, OFF, (("b", "2"), ("a", "1")))
        self.assertEqual([n.operation for n in self.heard], [*Operation][:2])
        self.assertEqual({n.source for n in self.heard}, {(("a", "1"), ("b", "2"))})

    def test_without_a_state(self) -> None:
        """An event without a state is told each time, with the time given or that of now."""
        self.bus.emit(FAILED, (("description", "x"),), utc_us=3)
        self.bus.emit(FAILED, (("description", "x"),))
        self.assertEqual([(n.operation, n.utc_us) for n in self.heard], [(None, 3), (None, 1)])


class DeclarationTests(BusCase):
    def test_values_of_what_lives(self) -> None:
        """A declaration has the values declared and those of living instances."""
        self.assertEqual(self.bus.declarations[DISRUPTION].source[0].values, ("SD_DISK",))
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.bus.set_state(DISRUPTION, ON, (("disk_id", "SD_DISK"),))
        self.assertEqual(
            self.bus.declarations[DISRUPTION].source[0].values, ("SD_DISK", "HDD_DISK")
        )
        self.bus.delete(DISRUPTION, DISK)
        self.assertEqual(self.bus.declarations[DISRUPTION].source[0].values, ("SD_DISK",))

    def test_topics_are_normalized(self) -> None:
        """Whatever prefixes a declaration uses, also of the levels above."""
        self.assertEqual(list(self.bus.declarations), [DISRUPTION, FAILED])
        self.bus.declare(EventDeclaration("axis:A/axis:B", level_names={"axis:A": "Above"}))
        self.assertEqual(self.bus.declarations["tnsaxis:A/B"].level_names, {"tnsaxis:A": "Above"})
        self.assertRaises(WireError, self.bus.declare, EventDeclaration("no topic"))

    def test_only_what_is_declared(self) -> None:
        """What is not declared, or as the other kind, is our own mistake."""
        for call in (
            lambda: self.bus.set_state("tns1:Other", ON),
            lambda: self.bus.set_state(FAILED, ON),
            lambda: self.bus.emit("tns1:Other"),
            lambda: self.bus.emit(DISRUPTION, ON),
        ):
            self.assertRaises(LocalProtocolError, call)
        self.assertEqual((self.heard, self.bus.states()), ([], []))


class ListenerTests(BusCase):
    def listen(self, action: Callable[[Notification], object]) -> list[Notification]:
        """Subscribe a listener that does something, and then one that only hears."""
        self.bus.subscribe(lambda told: (action(told), None)[1])
        heard: list[Notification] = []
        self.bus.subscribe(heard.append)
        return heard

    def test_one_that_raises(self) -> None:
        """It is reported, keeps nobody from hearing, and hears the next thing too."""
        called = []

        def fail(told: Notification) -> None:
            called.append(told)
            raise ValueError("on purpose")

        last = self.listen(fail)
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.bus.set_state(DISRUPTION, OFF, DISK)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.assertEqual(called, self.heard)
        self.assertEqual(last, self.heard)

    def test_one_that_unsubscribes(self) -> None:
        """While it is told: it hears no more, and all others hear everything."""
        alone: list[Notification] = []

        def once(told: Notification) -> None:
            alone.append(told)
            unsubscribe()
            unsubscribe()

        unsubscribe = self.bus.subscribe(once)
        last: list[Notification] = []
        self.bus.subscribe(last.append)
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.bus.set_state(DISRUPTION, OFF, DISK)
        self.assertEqual(alone, self.heard[:1])
        self.assertEqual(last, self.heard)
        self.assertEqual(len(self.heard), 2)

    def test_one_that_unsubscribes_another(self) -> None:
        """The other hears nothing of what is just being told."""
        other: list[Notification] = []
        self.bus.subscribe(lambda _: unsubscribe())
        unsubscribe = self.bus.subscribe(other.append)
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.assertEqual(other, [])

    def test_one_that_publishes(self) -> None:
        """All hear first what came first, also those after it; states are new at once."""
        seen = []

        def answer(told: Notification) -> None:
            if told.operation is Operation.INITIALIZED:
                self.bus.set_state(DISRUPTION, OFF, DISK)
                state = self.bus.state(DISRUPTION, DISK)
                seen.append(state and state.data)
                self.bus.emit(FAILED, (("description", "x"),))

        last = self.listen(answer)
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.assertEqual(
            self.told(), [(Operation.INITIALIZED, "1"), (Operation.CHANGED, "0"), (None, "x")]
        )
        self.assertEqual(last, self.heard)
        self.assertEqual(seen, [OFF])

    def test_one_that_comes_while_things_are_told(self) -> None:
        """It reads the states and then hears only what came after: nothing twice, nothing lost."""
        view: list[tuple[Operation | None, str]] = []

        def answer(told: Notification) -> None:
            if told.operation is Operation.INITIALIZED:
                self.bus.set_state(DISRUPTION, OFF, DISK)
                view.extend((n.operation, n.data[0][1]) for n in self.bus.states())
                self.bus.subscribe(lambda n: view.append((n.operation, n.data[0][1])))
                self.bus.set_state(DISRUPTION, ON, DISK)

        self.listen(answer)
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.assertEqual(view, [(Operation.INITIALIZED, "0"), (Operation.CHANGED, "1")])

    def test_the_same_one_twice(self) -> None:
        """It hears all twice, and once after one of the two has ended."""
        again = self.bus.subscribe(self.heard.append)
        self.bus.set_state(DISRUPTION, ON, DISK)
        again()
        self.bus.set_state(DISRUPTION, OFF, DISK)
        self.assertEqual(len(self.heard), 3)
        self.unsubscribe()
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.assertEqual(len(self.heard), 3)

    def test_two_that_answer_each_other(self) -> None:
        """The loop is cut and said; the bus goes on."""
        self.patch(event_bus, "MAX_TOLD_IN_ONE_TURN", 50)
        self.listen(lambda _: self.bus.emit(FAILED, (("description", "x"),)))
        self.bus.emit(FAILED, (("description", "x"),))
        self.assertEqual(len(self.heard), 50)
        self.bus.set_state(DISRUPTION, ON, DISK)
        self.assertEqual(self.heard[50].data, ON)
