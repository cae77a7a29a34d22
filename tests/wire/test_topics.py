"""Topics as they are written, and what filters of them let pass."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire.topics import (
    MAX_ALTERNATIVES,
    MAX_FILTER_CHARACTERS,
    MAX_LEVELS,
    MAX_TOPIC_CHARACTERS,
    TopicFilter,
    normalized,
)

PORT = "tns1:Device/tnsaxis:IO/Port"
VMD_ANY = "tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY"
DAY_NIGHT = "tns1:VideoSource/tnsaxis:DayNightVision"


class TopicTests(SynchronousTestCase):
    def test_written_as_in_notifications(self) -> None:
        """A prefix stands on the first level and where the name space changes."""
        for text, expected in (
            (PORT, PORT),
            ("tns1:Device/tnsaxis:IO/tnsaxis:Port", PORT),
            ("onvif:Device/axis:IO/axis:Port", PORT),
            ("tns1:Device/tns1:Trigger/tns1:Relay", "tns1:Device/Trigger/Relay"),
            (" axis:Storage/Recording\r\n", "tnsaxis:Storage/Recording"),
            ("UniversalMotionDetection", "UniversalMotionDetection"),
            ("tns1:a//b/", "tns1:a/b"),
            ("tnsaxis:A/tns1:B/tnsaxis:C", "tnsaxis:A/tns1:B/tnsaxis:C"),
        ):
            self.assertEqual(normalized(text), expected)

    def test_what_is_no_topic(self) -> None:
        """Text that is no path of names, or beyond a limit, is refused."""
        for text in (
            "",
            "/",
            "//.",
            "a b",
            "tns1:",
            ":a",
            "a:b:c",
            "a|b",
            "a,b",
            "<a>",
            "a/*",
            "1a",
        ):
            self.assertRaises(WireError, normalized, text)
        self.assertRaises(WireError, normalized, "a" * (MAX_TOPIC_CHARACTERS + 1))
        self.assertRaises(WireError, normalized, "/".join("a" * (MAX_LEVELS + 1)))
        self.assertEqual(normalized("/".join("a" * MAX_LEVELS)), "/".join("a" * MAX_LEVELS))

    @settings(max_examples=100, deadline=None)
    @given(st.text(alphabet="axistn1:/.|, VMD", max_size=60))
    def test_what_is_written_stays(self, text: str) -> None:
        """A topic that was written once is written the same again, and matches itself."""
        try:
            topic = normalized(text)
        except WireError:
            return
        self.assertEqual(normalized(topic), topic)
        self.assertTrue(TopicFilter.parse(topic).matches(text))


class FilterTests(SynchronousTestCase):
    def test_what_passes(self) -> None:
        """Exact topics, subtrees, lists, both kinds of prefixes, and nothing at all."""
        for text, topic, expected in (
            ("", VMD_ANY, True),
            ("//.", VMD_ANY, True),
            ("//", VMD_ANY, True),
            ("axis:CameraApplicationPlatform/VMD/Camera1ProfileANY", VMD_ANY, True),
            (VMD_ANY, VMD_ANY, True),
            (f"{VMD_ANY}//.", VMD_ANY, True),
            (f"{VMD_ANY}/more//.", VMD_ANY, False),
            ("tnsaxis:CameraApplicationPlatform/tnsaxis:VMD//.", VMD_ANY, True),
            ("axis:CameraApplicationPlatform/VMD//", VMD_ANY, True),
            ("axis:CameraApplicationPlatform", VMD_ANY, False),
            ("axis:CameraApplicationPlatform//.", VMD_ANY, True),
            ("axis:CameraApplication//.", VMD_ANY, False),
            ("onvif:CameraApplicationPlatform//.", VMD_ANY, False),
            ("axis:CameraApplicationPlatform//.", DAY_NIGHT, False),
            ("onvif:VideoSource/axis:DayNightVision", DAY_NIGHT, True),
            ("onvif:VideoSource/DayNightVision", DAY_NIGHT, True),
            ("onvif:Device//.|onvif:VideoSource//.", DAY_NIGHT, True),
            (" onvif:Device//. , onvif:VideoSource//. ", DAY_NIGHT, True),
            ("onvif:Device//.|", DAY_NIGHT, False),
        ):
            self.assertEqual(TopicFilter.parse(text).matches(topic), expected, text)

    def test_separators(self) -> None:
        """A dialect that knows no lists refuses one."""
        self.assertTrue(TopicFilter.parse(PORT, "").matches(PORT))
        self.assertRaises(WireError, TopicFilter.parse, f"{PORT}|{VMD_ANY}", "")
        self.assertRaises(WireError, TopicFilter.parse, f"{PORT},{VMD_ANY}", "|")

    def test_limits(self) -> None:
        """Long filters and those of many topics are refused."""
        TopicFilter.parse("|".join(["a"] * MAX_ALTERNATIVES))
        for text in ("|".join(["a"] * (MAX_ALTERNATIVES + 1)), "|" * (MAX_FILTER_CHARACTERS + 1)):
            self.assertRaises(WireError, TopicFilter.parse, text)

    def test_compared_by_text(self) -> None:
        """A filter keeps its text, and is equal to one of the same text."""
        self.assertEqual(TopicFilter.parse("a|b"), TopicFilter.parse("a|b"))
        self.assertEqual(TopicFilter.parse(" a|b ").text, " a|b ")

    @settings(max_examples=100, deadline=None)
    @given(st.text(alphabet="axistn1:/.|, VMD", max_size=60))
    def test_any_text(self, text: str) -> None:
        """Any text is a filter or a `WireError`."""
        try:
            event_filter = TopicFilter.parse(text)
        except WireError:
            return
        self.assertIsInstance(event_filter.matches(VMD_ANY), bool)
