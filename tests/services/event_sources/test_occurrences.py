"""When schedules are due, held against another implementation of the same rules."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.event_sources.occurrences import Moment, Occurrences
from axis_nvr.wire.schedule import parse_schedule

STOCKHOLM = ZoneInfo("Europe/Stockholm")
US = 1_000_000


def us(text: str, zone: ZoneInfo = STOCKHOLM, fold: int = 0) -> int:
    """A local time as microseconds of UTC."""
    local = datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)
    return int(local.timestamp()) * US


def utc_us(local: datetime) -> int:
    """A time of UTC without a zone as microseconds."""
    return int(local.replace(tzinfo=UTC).timestamp()) * US


DAYS = st.lists(st.sampled_from(("MO", "TU", "WE", "TH", "FR", "SA", "SU")), min_size=1, max_size=3)
NUMBERED = st.tuples(
    st.sampled_from(("", "1", "2", "5", "-1", "-5")), st.sampled_from(("MO", "SU"))
)
RULES = st.one_of(
    st.just("FREQ=YEARLY"),
    st.lists(st.integers(1, 12), min_size=1, max_size=3).map(
        lambda months: f"FREQ=YEARLY;BYMONTH={','.join(map(str, months))}"
    ),
    st.just("FREQ=MONTHLY"),
    NUMBERED.map(lambda day: f"FREQ=MONTHLY;BYDAY={day[0]}{day[1]}"),
    st.just("FREQ=WEEKLY"),
    DAYS.map(lambda days: f"FREQ=WEEKLY;BYDAY={','.join(days)}"),
    st.sampled_from(("FREQ=DAILY", "FREQ=HOURLY", "FREQ=MINUTELY", "FREQ=SECONDLY")),
)
TIMES = st.datetimes(datetime(2023, 1, 1), datetime(2025, 12, 31)).map(  # noqa: DTZ001
    lambda time: time.replace(microsecond=0)
)


class AgainstDateutilTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(RULES, st.integers(1, 3), TIMES, st.integers(-86400, 86400 * 80))
    def test_the_same_occurrences(
        self, rule: str, interval: int, start: datetime, after_seconds: int
    ) -> None:
        """Before and after any moment it has the same occurrences as dateutil."""
        if rule.startswith(("FREQ=MINUTELY", "FREQ=SECONDLY")):
            after_seconds %= 5000  # it walks through them one by one
        rule = f"{rule};INTERVAL={interval}"
        text = f"DTSTART:{start:%Y%m%dT%H%M%S}"
        moment = start + timedelta(seconds=after_seconds)
        expected = rrulestr(f"{text}\nRRULE:{rule}")
        last = expected.before(moment, inc=True)
        found = Occurrences(parse_schedule(f"{text} RRULE:{rule}"), UTC).at(utc_us(moment))
        self.assertEqual(found.last_us, last and utc_us(last))
        horizon = moment + timedelta(days=365 * 60)
        following = next(iter(expected.xafter(moment)), None)
        if following is not None and following < horizon:
            self.assertEqual(found.next_us, utc_us(following))


class CalendarTests(SynchronousTestCase):
    def at(self, text: str, moment: str, fold: int = 0) -> Moment:
        return Occurrences(parse_schedule(text), STOCKHOLM).at(us(moment, fold=fold))

    def active(self, text: str, moment: str, fold: int = 0) -> bool:
        return self.at(text, moment, fold).is_active

    def test_once(self) -> None:
        """Without a rule it comes once: before, during, after."""
        text = "DTSTART:20240506T0800 DTEND:20240507T1200"
        self.assertEqual(
            self.at(text, "2024-05-01T00:00:00"), Moment(False, None, us("2024-05-06T08:00:00"))
        )
        self.assertEqual(
            self.at(text, "2024-05-06T08:00:00"),
            Moment(True, us("2024-05-06T08:00:00"), us("2024-05-07T12:00:00")),
        )
        self.assertEqual(
            self.at(text, "2024-05-07T12:00:00"), Moment(False, us("2024-05-06T08:00:00"), None)
        )

    def test_over_midnight_and_weekend(self) -> None:
        """After hours of Friday last until Saturday morning; then nothing until Monday evening."""
        text = "DTSTART:19700101T1800 DTEND:19700102T0800 RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
        self.assertTrue(self.active(text, "2024-05-11T07:59:59"))
        saturday = self.at(text, "2024-05-11T08:00:00")
        self.assertEqual((saturday.is_active, saturday.next_us), (False, us("2024-05-13T18:00:00")))

    def test_longer_than_its_period(self) -> None:
        """It is always active, and never ends."""
        text = "DTSTART:20240101T0000 DTEND:20240103T0000 RRULE:FREQ=DAILY"
        for moment in ("2024-01-01T00:00:00", "2024-02-03T12:00:00", "2024-02-03T23:59:59"):
            self.assertTrue(self.active(text, moment))

    def test_rare_and_never(self) -> None:
        """February 29 is found years ahead; a day that there never is, never."""
        text = "DTSTART:20240229T0000 RRULE:FREQ=YEARLY"
        self.assertEqual(self.at(text, "2024-03-01T00:00:00").next_us, us("2028-02-29T00:00:00"))
        text = "DTSTART:20240131T0000 RRULE:FREQ=YEARLY;BYMONTH=2"
        self.assertEqual(self.at(text, "2024-03-01T00:00:00"), Moment(False, None, None))

    def test_long_before_it_begins(self) -> None:
        """The first occurrence is known whenever one asks."""
        text = "DTSTART:20240229T0000 RRULE:FREQ=DAILY"
        self.assertEqual(self.at(text, "1970-03-01T00:00:00").next_us, us("2024-02-29T00:00:00"))

    def test_limits_of_the_calendar(self) -> None:
        """The longest rules, asked for late, are no error."""
        for rule in ("YEARLY", "MONTHLY", "WEEKLY", "DAILY"):
            text = f"DTSTART:29991231T0000 DTEND:29991231T0001 RRULE:FREQ={rule};INTERVAL=1000"
            self.assertFalse(self.active(text, "2999-12-31T12:00:00"))
            self.assertFalse(self.active(text.replace("2999", "1900"), "2999-12-30T12:00:00"))

    def test_time_is_bounded(self) -> None:
        """Each second since 1900 is not walked through."""
        text = "DTSTART:19000101T0000 RRULE:FREQ=SECONDLY;INTERVAL=7"
        found = self.at(text, "2024-05-06T00:00:00")
        assert found.last_us is not None
        assert found.next_us is not None
        self.assertEqual(found.next_us - found.last_us, 7 * US)


class DaylightSavingTests(SynchronousTestCase):
    """Stockholm: on 2024-03-31 02:00 became 03:00, on 2024-10-27 03:00 became 02:00."""

    def starts(self, text: str, begin: str, count: int) -> list[str]:
        """The next starts in UTC."""
        occurrences, moment, found = Occurrences(parse_schedule(text), STOCKHOLM), us(begin), []
        for _ in range(count):
            following = occurrences.at(moment).next_us
            assert following is not None
            found.append(datetime.fromtimestamp(following / 1e6, UTC).strftime("%d %H:%M"))
            moment = following
        return found

    def test_the_wall_clock_counts_for_days(self) -> None:
        """Eight o'clock stays eight o'clock, an hour earlier or later in UTC."""
        text = "DTSTART:20240101T0800 RRULE:FREQ=DAILY"
        self.assertEqual(self.starts(text, "2024-03-30T00:00:00", 2), ["30 07:00", "31 06:00"])
        self.assertEqual(self.starts(text, "2024-10-26T00:00:00", 2), ["26 06:00", "27 07:00"])

    def test_a_time_that_is_skipped(self) -> None:
        """It comes all the same, when it would have been without the step; once."""
        text = "DTSTART:20240101T0230 RRULE:FREQ=DAILY"
        found = self.starts(text, "2024-03-30T00:00:00", 3)
        self.assertEqual(found, ["30 01:30", "31 01:30", "01 00:30"])

    def test_a_time_that_comes_twice(self) -> None:
        """It counts once, the first time."""
        text = "DTSTART:20240101T0230 RRULE:FREQ=DAILY"
        found = self.starts(text, "2024-10-26T00:00:00", 3)
        self.assertEqual(found, ["26 00:30", "27 00:30", "28 01:30"])

    def test_an_interval_over_the_hour_that_comes_twice(self) -> None:
        """It is active through both, until its end by the wall clock."""
        text = "DTSTART:20240101T0230 DTEND:20240101T0400 RRULE:FREQ=DAILY"
        occurrences = Occurrences(parse_schedule(text), STOCKHOLM)
        begin = us("2024-10-27T02:30:00")
        for minutes, expected in ((-1, False), (0, True), (45, True), (149, True), (150, False)):
            moment = occurrences.at(begin + minutes * 60 * US)
            self.assertIs(moment.is_active, expected, minutes)

    def test_an_interval_over_the_hour_that_is_skipped(self) -> None:
        """It ends by the wall clock, an hour sooner."""
        text = "DTSTART:20240101T0100 DTEND:20240101T0400 RRULE:FREQ=DAILY"
        found = Occurrences(parse_schedule(text), STOCKHOLM).at(us("2024-03-31T01:30:00"))
        self.assertEqual(found.next_us, us("2024-03-31T01:00:00") + 2 * 3600 * US)

    def test_hours_are_lengths_of_time(self) -> None:
        """Each hour is each hour, on both days."""
        text = "DTSTART:20240101T0000 RRULE:FREQ=HOURLY"
        for day in ("2024-03-31", "2024-10-27"):
            found = self.starts(text, f"{day}T00:30:00", 5)
            hours = [int(time[3:5]) for time in found]
            self.assertEqual([(b - a) % 24 for a, b in pairwise(hours)], [1] * 4)
