"""Modifiers in messages."""

import time

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.actions.modifiers import Identity, Modifiers

#: 2011-12-25 10:05:09.678 UTC, a Sunday.
WHEN_US = 1_324_807_509_678_000
US = Identity("ACCC8E012345", "axis-accc8e012345", "192.168.0.9")


class ModifierTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.modifiers = Modifiers(lambda: US, time.gmtime)

    def check(self, **expected: str) -> None:
        for letter, value in expected.items():
            self.assertEqual(self.modifiers.expand(f"<%{letter}>", WHEN_US), f"<{value}>", letter)

    def test_dates_and_times(self) -> None:
        """Each as the table of the interface has it, of the trigger's time."""
        self.check(c="Sun Dec 25 10:05:09 2011", D="12/25/11", F="2011-12-25", x="12/25/11")
        self.check(p="AM", r="10:05:09 AM", R="10:05", T="10:05:09", X="10:05:09", z="+0000")
        self.check(C="20", G="2011", g="11", Y="2011", y="11", b="Dec", B="December", h="Dec")
        self.check(m="12", U="52", V="51", W="51", a="Sun", A="Sunday", d="25", e="25", j="359")
        self.check(u="7", w="0", H="10", I="10", k="10", l="10", M="05", S="09", Z="GMT")
        self.check(f="67", s="1324807509")

    def test_ourselves(self) -> None:
        """Address, host name, and the serial number as a MAC address."""
        text = self.modifiers.expand("#i #n #M #m", WHEN_US)
        self.assertEqual(text, "192.168.0.9 axis-accc8e012345 AC:CC:8E:01:23:45 01:23:45")

    def test_what_stays(self) -> None:
        """Signs that are doubled become one; what we do not know stays as it is."""
        for text, expected in (
            ("100%% ##1", "100% #1"),
            ("#U1 #TC1 #x #s %Q %", "#U1 #TC1 #x #s %Q %"),
            ("%%F", "%F"),
            ("no sign", "no sign"),
        ):
            self.assertEqual(self.modifiers.expand(text, WHEN_US), expected)
