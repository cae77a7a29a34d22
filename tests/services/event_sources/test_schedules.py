"""Schedules as clients make them, and the events they make, by a clock that can be set."""

from datetime import datetime
from zoneinfo import ZoneInfo

from twisted.internet.task import Clock

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_sources import schedules as module
from axis_nvr.services.event_sources.occurrences import Moment, Occurrences
from axis_nvr.services.event_sources.schedules import (
    INTERVAL,
    MAX_SCHEDULES,
    PULSE,
    InvalidSchedule,
    InvalidScheduledEventId,
    NoScheduledEvent,
    ScheduledEvent,
    ScheduledEventExists,
    Schedules,
    TooManySchedules,
)
from axis_nvr.wire.notification import Notification, Operation
from tests.services.state import StateTestCase

STOCKHOLM = ZoneInfo("Europe/Stockholm")
FACTORY = ["weekdays", "office_hours", "after_hours", "weekends"]
EACH_SECOND = "DTSTART:20240101T0000 RRULE:FREQ=SECONDLY"
EACH_DAY_AT_8 = "DTSTART:20240101T0800 RRULE:FREQ=DAILY"


def seconds(text: str) -> float:
    """A local time in seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=STOCKHOLM).timestamp()


class SchedulesCase(StateTestCase):
    """Schedules of which those of the factory are removed, at noon on Monday 2024-05-06."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.step = seconds("2024-05-06T12:00:00")
        self.drift = 0.0  # of each look at the wall clock
        self.heard: list[Notification] = []
        self.schedules = self.load()
        for name in FACTORY:
            self.run_now(self.schedules.remove(f"com.axis.schedules.{name}"))
        self.schedules.start()
        self.addCleanup(self.stop)

    def load(self) -> Schedules:
        self.bus = EventBus(lambda: int(self.utc() * 1e6))
        self.bus.subscribe(self.heard.append)
        return Schedules(self.database, self.bus, self.clock, self.utc, STOCKHOLM)

    def stop(self) -> None:
        self.schedules.stop()

    def utc(self) -> float:
        self.step += self.drift
        return self.step + self.clock.seconds()

    def set_clock(self, text: str) -> None:
        """Let the wall clock jump; nobody is told."""
        self.step = seconds(text) - self.clock.seconds()

    def pass_time(self, duration: float, step: float = 1.0) -> None:
        for _ in range(int(duration / step)):
            self.clock.advance(step)

    def add(self, icalendar: str, event_id: str = "", name: str = "") -> str:
        return str(self.run_now(self.schedules.add(event_id, name, icalendar)))

    def pulses(self) -> list[str]:
        """When pulses were, by the local clock."""
        heard = [n for n in self.heard if n.topic == PULSE]
        return [f"{datetime.fromtimestamp(n.utc_us / 1e6, STOCKHOLM):%d %H:%M:%S}" for n in heard]

    def states(self) -> list[tuple[Operation | None, str]]:
        return [(n.operation, n.data[0][1]) for n in self.heard if n.topic == INTERVAL]


class KeepingTests(SchedulesCase):
    def test_the_factory(self) -> None:
        """Four are there from the start; one that was removed stays away."""
        self.assertEqual(dict(self.schedules.all), {})
        self.database.close()
        (self.folder.path / "state.db").unlink()
        self.database = self.open()
        found = self.load().all
        self.assertEqual(list(found), [f"com.axis.schedules.{name}" for name in FACTORY])
        self.assertTrue(all(event.is_interval for event in found.values()))
        text = "DTSTART:19700103T000000\nDTEND:19700105T000000\nRRULE:FREQ=WEEKLY"
        self.assertEqual(found["com.axis.schedules.weekends"].icalendar, text)

    def test_what_those_of_the_factory_mean(self) -> None:
        """Who is active when: the days of the week, and from 8 to 18."""
        self.database.close()
        (self.folder.path / "state.db").unlink()
        self.database = self.open()
        self.schedules.stop()
        self.schedules = self.load()
        for moment, expected in (
            ("2024-05-06T07:59:59", "weekdays"),
            ("2024-05-06T08:00:00", "weekdays office_hours"),
            ("2024-05-06T18:00:00", "weekdays after_hours"),
            ("2024-05-07T07:59:59", "weekdays after_hours"),
            ("2024-05-10T23:59:59", "weekdays after_hours"),
            ("2024-05-11T00:00:00", "after_hours weekends"),
            ("2024-05-12T23:59:59", "weekends"),
        ):
            self.set_clock(moment)
            self.schedules.start()
            states = [n for n in self.bus.states() if n.topic == INTERVAL]
            active = [n.source[0][1] for n in states if n.data == (("active", "1"),)]
            names = [f"com.axis.schedules.{name}" for name in expected.split()]
            self.assertEqual(active, names, moment)
            self.schedules.stop()

    def test_kept(self) -> None:
        """What was added is there after a restart, as it was given; what was removed is not."""
        text = "DTSTART:20240101T0800\r\nDTEND:20240101T0900"
        self.assertEqual(self.add(text, "my.id-1_A", "Näme"), "my.id-1_A")
        self.add(EACH_SECOND, "gone")
        self.run_now(self.schedules.remove("gone"))
        self.reopen()
        self.assertEqual(
            dict(self.load().all), {"my.id-1_A": ScheduledEvent("my.id-1_A", "Näme", text, True)}
        )

    def test_ids_that_are_made_up(self) -> None:
        """They count from 0, pass over those that are taken, and never come again."""
        form = "com.axis.schedules.genid.id-{}"
        self.add(EACH_SECOND, form.format(1))
        self.assertEqual(self.add(EACH_SECOND), form.format(0))
        self.assertEqual(self.add(EACH_SECOND), form.format(2))
        self.run_now(self.schedules.remove(form.format(2)))
        self.reopen()
        self.schedules.stop()
        self.schedules = self.load()
        self.assertEqual(self.add(EACH_SECOND), form.format(3))

    def test_refused(self) -> None:
        """Each thing that can be wrong has an error of its own, and nothing is kept."""
        add = self.schedules.add
        self.refused(add("", "", "nothing"), InvalidSchedule)
        self.refused(add("", "x" * 257, EACH_SECOND), InvalidSchedule)
        for event_id in ("a b", "ä", "<a>", "x" * 129, "a\n"):
            self.refused(add(event_id, "", EACH_SECOND), InvalidScheduledEventId)
        self.refused(self.schedules.remove("none"), NoScheduledEvent)
        self.add(EACH_SECOND, "one")
        self.refused(add("one", "", EACH_SECOND), ScheduledEventExists)
        self.assertEqual(list(self.schedules.all), ["one"])

    def test_too_many(self) -> None:
        """There is a limit."""
        self.patch(module, "MAX_SCHEDULES", 2)
        self.add(EACH_SECOND)
        self.add(EACH_SECOND)
        self.refused(self.schedules.add("", "", EACH_SECOND), TooManySchedules)

    def test_declared_with_names(self) -> None:
        """The declarations name the schedules there are, each in its kind."""
        self.add(EACH_SECOND, "pulse", "A pulse")
        self.add("DTSTART:20240101T0800 DTEND:20240101T0900", "interval", "An interval")
        for topic, event_id, name in ((PULSE, "pulse", "A pulse"), (INTERVAL, "interval", None)):
            (source,) = self.bus.declarations[topic].source
            self.assertEqual(source.values, (event_id,))
            self.assertEqual(source.value_names[event_id], name or "An interval")

    def test_a_spoilt_row(self) -> None:
        """It is passed over and said; the others are there."""
        self.add(EACH_SECOND, "good")
        insert = "INSERT INTO schedules (id, name, icalendar) VALUES ('bad', '', '?')"
        self.successResultOf(self.database.change(lambda c: c.execute(insert).rowcount))
        self.assertEqual(list(self.load().all), ["good"])


class IntervalTests(SchedulesCase):
    def test_told_from_the_start(self) -> None:
        """The state is told at once, when one is added and when the recorder starts."""
        self.add("DTSTART:20240101T0800 DTEND:20240101T1800 RRULE:FREQ=DAILY", "day")
        self.assertEqual(self.states(), [(Operation.INITIALIZED, "1")])
        self.schedules.stop()
        self.heard.clear()
        self.reopen()
        self.schedules = self.load()
        self.schedules.start()
        self.assertEqual(self.states(), [(Operation.INITIALIZED, "1")])
        self.assertEqual(self.heard[0].source, (("id", "day"),))

    def test_begins_and_ends(self) -> None:
        """At the second."""
        self.add("DTSTART:20240506T120010 DTEND:20240506T120013", "x")
        for second, expected in ((9.5, "0"), (10.0, "1"), (12.9, "1"), (13.1, "0")):
            self.clock.advance(second - self.clock.seconds())
            state = self.bus.state(INTERVAL, (("id", "x"),))
            assert state is not None
            self.assertEqual(state.data, (("active", expected),), second)

    def test_removed(self) -> None:
        """It is deleted, and nothing more comes of it."""
        self.add("DTSTART:20240506T120010 DTEND:20240506T120013", "x")
        self.run_now(self.schedules.remove("x"))
        self.pass_time(20)
        told = [(Operation.INITIALIZED, "0"), (Operation.DELETED, "0")]
        self.assertEqual(self.states(), told)

    def test_the_clock_is_set(self) -> None:
        """The state follows within a minute, forward and back."""
        self.add("DTSTART:20240101T1800 DTEND:20240101T2000 RRULE:FREQ=DAILY", "x")
        for time, expected in (("18:30", "1"), ("21:00", "0"), ("19:00", "1"), ("12:00", "0")):
            self.set_clock(f"2024-05-06T{time}:00")
            self.pass_time(60)
            state = self.bus.state(INTERVAL, (("id", "x"),))
            assert state is not None
            self.assertEqual(state.data, (("active", expected),), time)

    def test_daylight_saving(self) -> None:
        """The day on which the clock goes forward, an interval ends by the wall clock."""
        self.set_clock("2024-03-31T00:00:00")
        self.pass_time(60)
        self.add("DTSTART:20240101T0100 DTEND:20240101T0400 RRULE:FREQ=DAILY", "x")
        self.heard.clear()
        self.pass_time(4 * 3600, step=30)
        moments = [datetime.fromtimestamp(n.utc_us / 1e6, STOCKHOLM) for n in self.heard]
        self.assertEqual([f"{m:%H:%M}" for m in moments], ["01:00", "04:00"])
        self.assertEqual(moments[1].timestamp() - moments[0].timestamp(), 2 * 3600)


class PulseTests(SchedulesCase):
    def test_each_second(self) -> None:
        """Each is told, with the time it was due."""
        self.add(EACH_SECOND)
        self.pass_time(5, step=0.25)
        self.assertEqual(self.pulses(), [f"06 12:00:0{n}" for n in range(1, 6)])

    def test_what_is_over_is_over(self) -> None:
        """One that is added just after its time waits for the next."""
        self.add("DTSTART:20240101T1200 RRULE:FREQ=DAILY")
        self.pass_time(120)
        self.assertEqual(self.pulses(), [])
        self.set_clock("2024-05-07T11:59:30")
        self.pass_time(120)
        self.assertEqual(self.pulses(), ["07 12:00:00"])

    def test_the_clock_goes_forward(self) -> None:
        """What lay within the step is not told late; what comes after it is."""
        self.add(EACH_DAY_AT_8)
        self.set_clock("2024-05-07T09:00:00")
        self.pass_time(120)
        self.assertEqual(self.pulses(), [])
        self.set_clock("2024-05-08T07:59:00")
        self.pass_time(120)
        self.assertEqual(self.pulses(), ["08 08:00:00"])

    def test_the_clock_is_set_back(self) -> None:
        """Its times come again, and so do the pulses."""
        self.add("DTSTART:20240101T1201 RRULE:FREQ=DAILY")
        self.pass_time(90)
        self.set_clock("2024-05-06T12:00:30")
        self.pass_time(120)
        self.assertEqual(self.pulses(), ["06 12:01:00"] * 2)

    def test_the_clock_is_corrected(self) -> None:
        """A clock that goes back by a moment tells nothing twice."""
        self.add("DTSTART:20240101T1201 RRULE:FREQ=DAILY")
        self.clock.advance(60.0)
        self.step -= 1.0
        self.pass_time(120)
        self.assertEqual(self.pulses(), ["06 12:01:00"])

    def test_a_recorder_that_stood_still(self) -> None:
        """Of what is late only the newest is told."""
        self.add(EACH_SECOND)
        self.clock.advance(30.0)
        self.assertEqual(self.pulses(), ["06 12:00:30"])

    def test_no_long_sleep(self) -> None:
        """The next look is never further off than a minute, and there is always just one."""
        self.add("DTSTART:20300101T0000 RRULE:FREQ=YEARLY")
        for _ in range(10):
            (call,) = self.clock.getDelayedCalls()
            self.assertLessEqual(call.getTime() - self.clock.seconds(), 60.0)
            self.clock.advance(47.0)
        self.schedules.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_timer_that_comes_early(self) -> None:
        """It is set again, and the pulse is told once."""
        self.add(EACH_DAY_AT_8)
        self.set_clock("2024-05-07T07:59:59.500000")
        self.pass_time(60)
        self.heard.clear()
        self.set_clock("2024-05-08T07:59:00")
        self.pass_time(59)
        self.step -= 0.5
        self.pass_time(10, step=0.1)
        self.assertEqual(self.pulses(), ["08 08:00:00"])

    def test_time_passes_while_it_works(self) -> None:
        """What comes due between two looks at the clock is told by the next timer, soon."""
        self.add(EACH_SECOND)
        self.drift = 1.5
        self.pass_time(4)
        self.assertGreaterEqual(len(self.pulses()), 4)

    def test_one_that_fails(self) -> None:
        """It is in the log, once a minute; all others go on."""
        self.add(EACH_SECOND, "broken")
        self.add(EACH_SECOND, "good")
        whole, broken = Occurrences.at, self.schedules._entries["broken"].occurrences

        def at(occurrences: Occurrences, utc_us: int) -> Moment:
            if occurrences is broken:
                raise ZeroDivisionError
            return whole(occurrences, utc_us)

        self.patch(Occurrences, "at", at)
        self.pass_time(121)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)
        self.assertEqual(len(self.pulses()), 121)

    def test_as_many_as_there_may_be(self) -> None:
        """A thousand schedules of each second are all told."""
        rows = [(f"s{n}", EACH_SECOND) for n in range(MAX_SCHEDULES)]
        insert = "INSERT INTO schedules (id, name, icalendar) VALUES (?, '', ?)"
        self.successResultOf(self.database.change(lambda c: c.executemany(insert, rows).rowcount))
        self.schedules.stop()
        self.schedules = self.load()
        self.schedules.start()
        self.pass_time(2)
        self.assertEqual(len(self.pulses()), 2 * MAX_SCHEDULES)
