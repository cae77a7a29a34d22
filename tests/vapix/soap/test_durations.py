"""Durations of XML Schema."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.vapix.soap.durations import parse_duration, write_duration


class DurationTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Each part counts; a year is 365 days, a month 30."""
        for text, seconds in (
            ("PT0S", 0),
            ("PT5S", 5),
            (" PT5S\n", 5),
            ("PT0.25S", 0.25),
            ("PT90M", 5400),
            ("P1DT2H3M4.5S", 93_784.5),
            ("P1D", 86_400),
            ("P2Y1M", (2 * 365 + 30) * 86_400),
            ("-PT5S", -5),
            ("PT000005S", 5),
        ):
            self.assertEqual(parse_duration(text), seconds, text)

    def test_what_is_none(self) -> None:
        """Is refused."""
        for text in (
            "",
            "P",
            "PT",
            "P1DT",
            "5",
            "5S",
            "PT5",
            "PT1.S",
            "PT.5S",
            "PT5S5M",
            "P1H",
            "PT-5S",
            "pt5s",
            "PT5S x",
            "PT٣S",
            "PT" + "9" * 400 + "S",
            "P1.5D",
            "INF",
        ):
            with self.assertRaises(WireError, msg=text):
                parse_duration(text)

    def test_write(self) -> None:
        """What is zero is left out."""
        for seconds, text in (
            (0, "PT0S"),
            (5, "PT5S"),
            (60, "PT1M"),
            (3600, "PT1H"),
            (86_400, "P1D"),
            (90_061.5, "P1DT1H1M1.5S"),
            (0.000001, "PT0.000001S"),
            (-5, "-PT5S"),
        ):
            self.assertEqual(write_duration(seconds), text)

    @settings(max_examples=200)
    @given(st.integers(-(10**12), 10**12))
    def test_there_and_back(self, micros: int) -> None:
        """What is written is read as the same."""
        self.assertAlmostEqual(parse_duration(write_duration(micros / 1e6)), micros / 1e6, places=6)
