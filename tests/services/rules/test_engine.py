"""Rules at work: when actions begin, end, fire and are held back."""

from unittest import mock

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_sources.system import ACTION_FAILED, SystemEvents
from axis_nvr.services.rules.model import FilterText
from axis_nvr.wire.notification import Notification
from tests.services.rules.situations import (
    DECLARATIONS,
    EPOCH,
    MOTION,
    PULSE,
    RECORD_FIXED,
    TCP,
    TCP_GIVEN,
    RuleTestCase,
    a_rule,
    disk_well,
    input_on,
    item,
    motion_on,
)


class UnlimitedTests(RuleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.appear()
        self.add_action()
        self.engine = self.run_engine()

    def test_while_all_conditions_hold(self) -> None:
        """It begins with the last one that comes true and ends with the first that does not."""
        self.add_rule(a_rule(motion_on(), disk_well(), input_on(2)))
        self.motion("front", True)
        self.clock.advance(1)
        self.input(2, True)
        self.clock.advance(1)
        self.input(3, True)
        self.motion("yard", True)
        self.clock.advance(1)
        self.disrupt("HDD_DISK", True)
        self.input(2, False)
        self.assertEqual(self.notes, ["start 1", "stop 3"])

    def test_true_already_when_the_rule_is_added(self) -> None:
        """It begins at once."""
        self.clock.advance(7)
        self.add_rule(a_rule(disk_well()))
        self.assertEqual(self.notes, ["start 7"])

    def test_the_same_again_is_no_edge(self) -> None:
        """A state that is told again with other details neither begins nor ends anything."""
        self.add_rule(a_rule(motion_on()))
        source = (("device", "front"),)
        for detail in ("1", "2", "3"):
            self.bus.set_state(MOTION, (("active", "1"), ("objects", detail)), source)
        self.bus.set_state(MOTION, (("active", "true"),), source)
        self.assertEqual(self.notes, ["start 0"])

    def test_an_instance_that_goes(self) -> None:
        """A property that is deleted is false; when it comes again with its state it is true."""
        self.add_rule(a_rule(motion_on()))
        self.motion("front", True)
        self.clock.advance(1)
        self.bus.delete(MOTION, (("device", "front"),))
        self.clock.advance(1)
        self.motion("front", True)
        self.assertEqual(self.notes, ["start 0", "stop 1", "start 2"])

    def test_any_instance(self) -> None:
        """A condition of any instance holds while it is true of one."""
        self.add_rule(a_rule(FilterText(MOTION, contents=(item("active", "1"),))))
        for device, active in (("front", True), ("yard", True), ("front", False), ("yard", False)):
            self.motion(device, active)
            self.clock.advance(1)
        self.assertEqual(self.notes, ["start 0", "stop 3"])

    def test_removed_and_disabled(self) -> None:
        """A rule that is removed ends what it runs; a disabled one is kept and does nothing."""
        first = self.add_rule(a_rule(disk_well()))
        self.add_rule(a_rule(disk_well(), enabled=False))
        self.assertEqual(self.notes, ["start 0"])
        self.run_now(self.book.remove_rule(first))
        self.assertEqual(self.notes, ["start 0", "stop 0", "end"])
        self.assertEqual(len(self.book.rules), 1)
        self.disrupt("HDD_DISK", True)
        self.disrupt("HDD_DISK", False)
        self.assertEqual(len(self.notes), 3)

    def test_rules_that_share_a_condition(self) -> None:
        """One goes, the others stay."""
        first, second = (self.add_rule(a_rule(motion_on())) for _ in range(2))
        self.run_now(self.book.remove_rule(first))
        self.motion("front", True)
        self.assertEqual(self.notes, ["end", "start 0"])
        self.run_now(self.book.remove_rule(second))
        self.assertEqual(self.notes[2:], ["stop 0", "end"])

    def test_with_a_start_event(self) -> None:
        """It begins with the event, while the conditions hold, and ends with them."""
        self.add_rule(a_rule(input_on(), start=FilterText(PULSE)))
        self.pulse()
        self.input(1, True)
        self.assertEqual(self.notes, [])
        self.pulse()
        self.pulse()
        self.input(1, False)
        self.assertEqual(self.notes, ["start 0", "stop 0"])

    def test_activation_timeout(self) -> None:
        """It begins no sooner, and late if its conditions still hold then."""
        self.add_rule(a_rule(motion_on(), timeout=10.0))
        self.motion("front", True)
        self.clock.advance(3)
        self.motion("front", False)
        self.clock.advance(3)
        self.motion("front", True)
        self.clock.advance(2)
        self.assertEqual(self.notes, ["start 0", "stop 3"])
        self.clock.advance(2)
        self.assertEqual(self.notes[2:], ["start 10"])
        self.motion("front", False)
        self.motion("front", True)
        self.motion("front", False)
        self.clock.advance(60)
        self.assertEqual(self.notes[3:], ["stop 10"])
        self.motion("front", True)
        self.assertEqual(self.notes[4:], ["start 70"])

    def test_activation_timeout_of_a_start_event(self) -> None:
        """What comes too soon is left out, and not made up for: the event is over."""
        self.add_rule(a_rule(input_on(), start=FilterText(PULSE), timeout=10.0))
        for active in (True, False, True):
            self.input(1, active)
            self.pulse()
        self.clock.advance(60)
        self.assertEqual(self.notes, ["start 0", "stop 0"])

    def test_stopped(self) -> None:
        """The recorder stops: nothing begins any more; what records is for the recorder to end."""
        self.add_rule(a_rule(motion_on(), timeout=10.0))
        for active in (True, False, True):
            self.motion("front", active)
        self.engine.halt()
        self.motion("front", False)
        self.add_rule(a_rule(disk_well()))
        self.assertEqual(self.notes, ["start 0", "stop 0", "halt"])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FixedTests(RuleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.appear()
        self.add_action(RECORD_FIXED)
        self.engine = self.run_engine()

    def test_conditions_alone(self) -> None:
        """It fires when they have become true together, each time, and not as they were found."""
        self.input(1, True)
        self.add_rule(a_rule(input_on(1), input_on(2)))
        for active in (True, False, True):
            self.clock.advance(1)
            self.input(2, active)
        self.assertEqual(self.notes, ["fire 1 by conditions", "fire 3 by conditions"])

    def test_a_start_event(self) -> None:
        """Each event fires, while the conditions hold."""
        self.add_rule(a_rule(disk_well(), start=FilterText(PULSE)))
        self.pulse()
        self.disrupt("HDD_DISK", True)
        self.pulse()
        self.disrupt("HDD_DISK", False)
        self.pulse()
        self.assertEqual(self.notes, ["fire 0 by Pulse"] * 2)

    def test_a_start_event_that_is_a_state(self) -> None:
        """It is the change that counts: to the state that is named, of each instance."""
        self.add_rule(a_rule(start=FilterText(MOTION, contents=(item("active", "1"),))))
        self.motion("front", True)
        self.bus.set_state(MOTION, (("active", "1"), ("objects", "2")), (("device", "front"),))
        self.motion("yard", True)
        self.motion("front", False)
        self.assertEqual(len(self.notes), 2)
        self.motion("front", True)
        self.assertEqual(len(self.notes), 3)

    def test_start_event_and_condition_in_one(self) -> None:
        """What makes the condition true may be the start event too."""
        self.add_rule(a_rule(motion_on(), start=motion_on()))
        self.motion("front", True)
        self.assertEqual(self.notes, ["fire 0 by tnsaxis:UniversalMotionDetection"])

    def test_activation_timeout(self) -> None:
        """What comes sooner is left out."""
        self.add_rule(a_rule(start=FilterText(PULSE), timeout=5.0))
        for _ in range(4):
            self.pulse()
            self.clock.advance(2.5)
        self.assertEqual(self.notes, ["fire 0 by Pulse", "fire 5 by Pulse"])

    def test_the_time_that_counts(self) -> None:
        """That of the event; now, if it is of the future or old: clocks of cameras are wrong."""
        self.add_rule(a_rule(start=FilterText(PULSE)))
        self.clock.advance(100)
        for seconds in (99.5, 100.5, 20.0):
            utc_us = int((EPOCH + seconds) * 1e6)
            self.bus.emit(PULSE, (), (("id", "nightly"),), utc_us=utc_us)
        by = "by Pulse"
        self.assertEqual(self.notes, [f"fire 99.5 {by}", f"fire 100 {by}", f"fire 100 {by}"])


class StartTests(RuleTestCase):
    """Rules that are there before anything has a state."""

    def setUp(self) -> None:
        super().setUp()
        self.appear()
        self.add_action()
        self.add_action(RECORD_FIXED)

    def restart(self) -> None:
        """Start anew, with nothing known yet."""
        self.reopen()
        self.bus = EventBus(self.utc_us)
        self.system = SystemEvents(self.bus)
        self.book = self.load()
        self.run_engine()
        for declaration in DECLARATIONS:
            self.bus.declare(declaration)

    def test_continuous_recording(self) -> None:
        """As management tools make it: while the disk is there, over a restart, after a loss."""
        engine = self.run_engine()
        self.add_rule(a_rule(disk_well(), name="ACC_Continuous"))
        self.assertEqual(self.notes, ["start 0"])
        engine.halt()
        self.notes.clear()
        self.clock.advance(10)
        self.restart()
        self.assertEqual(self.notes, [])
        for seconds, is_disrupted in ((11, False), (12, True), (13, False)):
            self.clock.advance(1)
            self.disrupt("HDD_DISK", is_disrupted)
            self.assertTrue(self.notes[-1].endswith(f" {seconds}"), self.notes)
        self.assertEqual(self.notes, ["start 11", "stop 12", "start 13"])

    def test_what_is_found_is_no_event(self) -> None:
        """After a start nothing has happened yet: fixed actions wait, by either way to start."""
        self.add_rule(a_rule(disk_well(), action=2))
        self.add_rule(a_rule(start=disk_well(), action=2))
        self.restart()
        self.appear()
        self.assertEqual(self.notes, [])
        self.disrupt("HDD_DISK", True)
        self.disrupt("HDD_DISK", False)
        by = ("conditions", "Disruption")
        self.assertEqual(self.notes, [f"fire 0 by {name}" for name in by])

    def test_what_comes_again_is_one(self) -> None:
        """A device that was known, went, and comes again with motion has something to tell."""
        self.add_rule(a_rule(start=motion_on(), action=2))
        self.run_engine()
        self.bus.delete(MOTION, (("device", "front"),))
        self.motion("front", True)
        self.assertEqual(len(self.notes), 1)


class FailureTests(RuleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.appear()
        self.add_action()
        self.add_action(TCP, TCP_GIVEN)
        self.engine = self.run_engine()
        self.told: list[str] = []
        self.bus.subscribe(self.note_failure)

    def note_failure(self, notification: Notification) -> None:
        if notification.topic == ACTION_FAILED:
            self.told.append(dict(notification.data)["description"])

    def test_an_action_that_cannot_be_made(self) -> None:
        """The rule stays; each time that it begins it fails with words, until it can be made."""
        self.missing.add("front")
        rule = self.add_rule(a_rule(motion_on()))
        self.assertEqual(self.told, [])
        self.motion("front", True)
        self.assertEqual(self.told, ["Motion: there is no ['front']"])
        self.assertEqual(self.engine.runners[rule].trouble, "there is no ['front']")
        self.motion("front", False)
        self.missing.clear()
        self.motion("front", True)
        self.assertEqual(self.notes, ["start 0"])
        self.assertEqual(self.engine.runners[rule].trouble, "")

    def test_an_action_that_fails_later(self) -> None:
        """Everybody is told, with the name of the rule."""
        self.add_rule(a_rule(input_on(), name=""))
        self.made[0].failed("the disk is full")
        self.assertEqual(self.told, ["rule 1: the disk is full"])

    def test_told_but_not_too_often(self) -> None:
        """A rule that starts with a failure, and fails, does not go round and round."""
        self.missing.add("host")
        self.add_rule(a_rule(start=FilterText(ACTION_FAILED), action=2, name="Mail"))
        self.bus.emit(ACTION_FAILED, (("description", "first"),))
        self.assertEqual(len(self.told), 2)
        for _ in range(3):
            self.bus.emit(ACTION_FAILED, (("description", "more"),))
        self.assertEqual(len(self.told), 5)
        self.clock.advance(10)
        self.bus.emit(ACTION_FAILED, (("description", "again"),))
        self.assertIn("(and 4 times before)", self.told[-1])

    def test_an_action_with_a_bug(self) -> None:
        """It is reported, and others go on."""
        self.add_rule(a_rule(input_on()))
        self.add_rule(a_rule(input_on()))
        with mock.patch.object(self.made[0], "start", side_effect=RuntimeError("oh")):
            self.input(1, True)
        self.assertEqual(self.notes, ["start 0"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
