"""Schedules as clients write them."""

from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire.schedule import Frequency, Recurrence, Schedule, parse_schedule

EIGHT = datetime(2024, 1, 1, 8)  # noqa: DTZ001 - local time


class ScheduleTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Properties by space or line, in any order; seconds may lack; what is absent is none."""
        for text, expected in (
            ("DTSTART:20240101T0800", Schedule(EIGHT)),
            ("DTSTART:20240101T080000\r\nDTEND:20240101T083005\r\n", Schedule(EIGHT, END)),
            ("\nDTEND:20240101T083005  dtstart:20240101T0800 ", Schedule(EIGHT, END)),
        ):
            self.assertEqual(parse_schedule(text), expected, text)

    def test_rules(self) -> None:
        """Each form that the specification has."""
        for text, expected in (
            ("FREQ=YEARLY", Recurrence(Frequency.YEARLY)),
            ("FREQ=YEARLY;BYMONTH=12,1", Recurrence(Frequency.YEARLY, 1, (1, 12))),
            ("FREQ=MONTHLY", Recurrence(Frequency.MONTHLY)),
            ("FREQ=MONTHLY;BYDAY=-1MO", Recurrence(Frequency.MONTHLY, days=((-1, 0),))),
            ("FREQ=MONTHLY;BYDAY=0SU,2TU", Recurrence(Frequency.MONTHLY, days=((0, 6), (2, 1)))),
            (
                "INTERVAL=2;FREQ=WEEKLY;BYDAY=MO,FR,MO",
                Recurrence(Frequency.WEEKLY, 2, days=((0, 0), (0, 4))),
            ),
            ("freq=daily", Recurrence(Frequency.DAILY)),
            ("FREQ=HOURLY;INTERVAL=3", Recurrence(Frequency.HOURLY, 3)),
            ("FREQ=MINUTELY", Recurrence(Frequency.MINUTELY)),
            ("FREQ=SECONDLY;INTERVAL=86400", Recurrence(Frequency.SECONDLY, 86400)),
        ):
            schedule = parse_schedule(f"DTSTART:20240101T0800 RRULE:{text}")
            self.assertEqual(schedule, Schedule(EIGHT, None, expected), text)

    def test_refused(self) -> None:
        """What is not of this part of iCalendar is refused, not taken for something else."""
        start = "DTSTART:20240101T0800 "
        for text in (
            "",
            "DTEND:20240101T0800",
            "DTSTART:20240101T0800Z",
            "DTSTART;TZID=Europe/Paris:20240101T0800",
            "DTSTART:20240101",
            "DTSTART:20241301T0800",
            "DTSTART:20240101T2500",
            "DTSTART:00010101T0800",
            start + start,
            start + "DTEND:20240101T0800",
            start + "DTEND:20231231T0800",
            start + "SUMMARY:x",
            start + "RRULE:",
            start + "RRULE:FREQ=NEVER",
            start + "RRULE:INTERVAL=2",
            start + "RRULE:FREQ=DAILY;COUNT=2",
            start + "RRULE:FREQ=DAILY;UNTIL=20250101T0000",
            start + "RRULE:FREQ=DAILY;BYDAY=MO",
            start + "RRULE:FREQ=DAILY;INTERVAL=0",
            start + "RRULE:FREQ=DAILY;INTERVAL=1001",
            start + "RRULE:FREQ=DAILY;INTERVAL=1;INTERVAL=1",
            start + "RRULE:FREQ=WEEKLY;BYDAY=1MO",
            start + "RRULE:FREQ=WEEKLY;BYDAY=",
            start + "RRULE:FREQ=MONTHLY;BYDAY=6MO",
            start + "RRULE:FREQ=YEARLY;BYMONTH=13",
            start + "x" * 1024,
        ):
            self.assertRaises(WireError, parse_schedule, text)

    @settings(max_examples=100, deadline=None)
    @given(st.text(alphabet="DTSARENDULFQ:=;,0129 \r\n-²", max_size=60))
    def test_any_text(self, text: str) -> None:
        """Any text is a schedule or a `WireError`."""
        for prefix in ("", "DTSTART:20240101T0800 RRULE:FREQ=MONTHLY;"):
            try:
                schedule = parse_schedule(prefix + text)
            except WireError:
                continue
            self.assertIsInstance(schedule, Schedule)


END = datetime(2024, 1, 1, 8, 30, 5)  # noqa: DTZ001 - local time
