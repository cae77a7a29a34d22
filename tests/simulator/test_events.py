"""Events as documents, and the filters of the URL."""

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.simulator.events import (
    DAY_NIGHT,
    EMPTY_DOCUMENT,
    VMD_ANY,
    EventBoard,
    EventState,
    document,
    topic_matches,
)

TT = "{http://www.onvif.org/ver10/schema}"
WSNT = "{http://docs.oasis-open.org/wsn/b-2}"


class DocumentTests(SynchronousTestCase):
    def test_read_by_an_xml_parser(self) -> None:
        """Topic, time, operation and items stand where a client looks for them."""
        state = EventState(VMD_ANY, (("a", '"<&'),), (("active", "1"),), 1_700_000_000_000_005)
        root = ElementTree.fromstring(document(state, "Changed", "some-uuid"))
        self.assertEqual(root.tag, f"{TT}MetadataStream")
        topic = root.find(f"{TT}Event/{WSNT}NotificationMessage/{WSNT}Topic")
        message = root.find(f".//{TT}Message")
        assert topic is not None
        assert message is not None
        self.assertEqual(topic.text, "tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY")
        self.assertEqual(message.get("UtcTime"), "2023-11-14T22:13:20.000005Z")
        self.assertEqual(message.get("PropertyOperation"), "Changed")
        items = [(i.get("Name"), i.get("Value")) for i in message.iter(f"{TT}SimpleItem")]
        self.assertEqual(items, [("a", '"<&'), ("active", "1")])
        self.assertIsNotNone(message.find(f"{TT}Key"))
        self.assertEqual(len(ElementTree.fromstring(EMPTY_DOCUMENT)), 0)


class FilterTests(SynchronousTestCase):
    def test_what_passes(self) -> None:
        """Exact topics, subtrees, lists, both kinds of prefixes, and nothing at all."""
        for event_filter, topic, expected in (
            ("", VMD_ANY, True),
            ("//.", VMD_ANY, True),
            ("axis:CameraApplicationPlatform/VMD/Camera1ProfileANY", VMD_ANY, True),
            ("tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY", VMD_ANY, True),
            ("tnsaxis:CameraApplicationPlatform/tnsaxis:VMD//.", VMD_ANY, True),
            ("axis:CameraApplicationPlatform", VMD_ANY, False),
            ("axis:CameraApplicationPlatform//.", VMD_ANY, True),
            ("axis:CameraApplicationPlatform//.", DAY_NIGHT, False),
            ("onvif:VideoSource/axis:DayNightVision", DAY_NIGHT, True),
            ("onvif:Device//.|onvif:VideoSource//.", DAY_NIGHT, True),
            ("onvif:Device//.,onvif:VideoSource//.", DAY_NIGHT, True),
            ("onvif:VideoSource/DayNightVision", DAY_NIGHT, False),
        ):
            self.assertEqual(topic_matches(topic, event_filter), expected, event_filter)

    @settings(max_examples=200, deadline=None)
    @given(st.text(alphabet="axistn1:/.|, VMD", max_size=60))
    def test_any_filter(self, event_filter: str) -> None:
        """No filter is an error."""
        self.assertIsInstance(topic_matches(VMD_ANY, event_filter), bool)


class BoardTests(SynchronousTestCase):
    def test_changes_are_told_once(self) -> None:
        """Listeners hear of each change with the time it happened, and of nothing else."""
        now = [1]
        board = EventBoard("u", lambda: now[0])
        heard: list[EventState] = []
        board.listen(heard.append)
        now[0] = 2
        for active in (True, True, False):
            board.raise_motion(active)
        board.leave(heard.append)
        board.raise_motion(True)
        self.assertEqual(
            [state.data for state in heard if state.topic == VMD_ANY],
            [(("active", "1"),), (("active", "0"),)],
        )
        self.assertEqual({state.changed_us for state in heard}, {2})
        self.assertTrue(board.motion)
