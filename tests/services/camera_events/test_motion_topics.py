"""What counts as motion, and what makes something move or cease to."""

from urllib.parse import parse_qs

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.config.events import MOTION_SOURCES
from axis_nvr.services.camera_events.motion_states import MAX_INSTANCES, MotionStates
from axis_nvr.services.camera_events.motion_topics import MOTION_TOPICS, MotionTopics
from axis_nvr.wire.notification import Operation, parse_document
from axis_nvr.wire.topics import TopicFilter
from tests.services.camera_events.documents import (
    BY_HAND,
    VMD_ANY,
    VMD_FIRST,
    document,
    state,
)

_PLATFORM = "tnsaxis:CameraApplicationPlatform"
#: Source, topic as cameras write it, state item.
TOLD = [
    ("vmd", "tns1:RuleEngine/tnsaxis:VideoMotionDetection/motion", "active"),
    ("vmd", "tns1:RuleEngine/VideoMotionDetection/motion", "active"),
    ("vmd", "tns1:VideoAnalytics/tnsaxis:MotionDetection", "motion"),
    ("vmd", "tns1:RuleEngine/tnsaxis:VMD3/vmd3_video_1", "active"),
    ("vmd", "tns1:RuleEngine/tnsaxis:VMD3/tnsaxis:vmd3_video_1", "active"),
    ("vmd", f"{_PLATFORM}/VMD/Camera1Profile1", "active"),
    ("vmd", f"{_PLATFORM}/VMD/Camera1ProfileANY", "active"),
    ("vmd", f"{_PLATFORM}/VMDLite/Camera1", "active"),
    ("object-analytics", f"{_PLATFORM}/ObjectAnalytics/Device1Scenario1", "active"),
    ("object-analytics", f"{_PLATFORM}/ObjectAnalytics/Device1ScenarioANY", "active"),
    ("guards", f"{_PLATFORM}/FenceGuard/Camera1Profile1", "active"),
    ("guards", f"{_PLATFORM}/LoiteringGuard/Camera1ProfileANY", "active"),
    ("guards", f"{_PLATFORM}/MotionGuard/Camera1ProfileANY", "active"),
    ("onvif", "tns1:RuleEngine/MotionRegionDetector/Motion", "State"),
    ("onvif", "tns1:RuleEngine/CellMotionDetector/Motion", "IsMotion"),
    ("onvif", "tns1:VideoSource/MotionAlarm", "State"),
    ("pir", "tns1:Device/tnsaxis:Sensor/PIR", "state"),
]
#: What is none, though it looks like it.
OTHERS = [
    state("tns1:VideoSource/tnsaxis:DayNightVision", item="day"),
    state("tns1:Device/tnsaxis:IO/Port", item="state"),
    state(f"{_PLATFORM}/VMD/xinternal_data", "<svg/>", None, item="svgframe"),
    state(f"{_PLATFORM}/ALPR/State", item="active"),
]


class TopicTests(SynchronousTestCase):
    def test_every_topic(self) -> None:
        """Each topic counts if its source is wanted, and only then; so with what is asked for."""
        for source, topic, item in TOLD:
            told = state(topic, item=item)
            for wanted in MOTION_SOURCES:
                topics = MotionTopics([wanted])
                self.assertEqual(MotionStates(topics).take(told), wanted == source, topic)
                if wanted == source:
                    (asked,) = parse_qs(topics.query)["eventtopic"]
                    self.assertTrue(TopicFilter.parse(asked).matches(topic), topic)
                    self.assertTrue(topics.are_in(document(told)), topic)

    def test_all_sources_have_topics(self) -> None:
        """What can be configured is there, and nothing beside."""
        self.assertEqual({topic.source for topic in MOTION_TOPICS}, set(MOTION_SOURCES))

    def test_other_events(self) -> None:
        """Day and night, ports, drawings of the applications and others are no motion."""
        states = MotionStates(MotionTopics(MOTION_SOURCES))
        for told in OTHERS:
            self.assertFalse(states.take(told), told.topic)
        self.assertEqual((states.known, states.ignored), (0, 0))

    def test_what_is_looked_into(self) -> None:
        """Documents without a word of motion need not be read."""
        topics = MotionTopics(["vmd"])
        self.assertFalse(topics.are_in(document(OTHERS[0])))
        self.assertTrue(topics.are_in(BY_HAND))

    def test_a_document_of_other_make(self) -> None:
        """Bytes that our own builder has not written are understood."""
        states = MotionStates(MotionTopics(["vmd"]))
        (told,) = parse_document(BY_HAND)
        self.assertTrue(states.take(told))
        self.assertTrue(states.is_moving)

    def test_the_query(self) -> None:
        """An Axis camera is asked for events alone, and for no more of them than count."""
        query = MotionTopics(["onvif"]).query
        self.assertEqual(parse_qs(query)["video"] + parse_qs(query)["audio"], ["0", "0"])
        (asked,) = parse_qs(query)["eventtopic"]
        self.assertEqual(asked, "onvif:RuleEngine//.|onvif:VideoSource/MotionAlarm")


class StateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.states = MotionStates(MotionTopics(["vmd", "onvif", "object-analytics"]))

    def take(self, *told: object) -> bool:
        for notification in told:
            self.states.take(notification)  # type: ignore[arg-type]
        return self.states.is_moving

    def test_several_areas(self) -> None:
        """Something moves as long as one profile, or the one for any, says so."""
        self.assertTrue(self.take(state(VMD_FIRST), state(VMD_ANY)))
        self.assertTrue(self.take(state(VMD_ANY, "0")))
        self.assertFalse(self.take(state(VMD_FIRST, "0")))
        topic = "tns1:RuleEngine/tnsaxis:VideoMotionDetection/motion"
        areas = [(("areaid", str(number)),) for number in range(3)]
        self.assertTrue(self.take(*(state(topic, source=area) for area in areas)))
        self.assertTrue(self.take(*(state(topic, "0", source=area) for area in areas[1:])))
        self.assertFalse(self.take(state(topic, "0", source=areas[0])))

    def test_order_of_source_items(self) -> None:
        """An instance is the same in whichever order its source is told."""
        topic = "tns1:RuleEngine/MotionRegionDetector/Motion"
        source = (("VideoSource", "1"), ("RuleName", "a"))
        self.take(state(topic, item="State", source=source))
        self.assertFalse(self.take(state(topic, "false", item="State", source=source[::-1])))

    def test_deleted(self) -> None:
        """An area that is removed moves no more, with or without its state."""
        self.take(state())
        self.assertFalse(self.take(state(operation=Operation.DELETED)))
        self.assertEqual(self.states.known, 0)
        self.take(state())
        self.assertFalse(self.take(state(operation=Operation.DELETED)._replace(data=())))

    def test_values(self) -> None:
        """Booleans come in each of their spellings; what is none is counted and changes nothing."""
        for value, expected in (("true", True), ("0", False), ("TRUE", True), (" false ", False)):
            self.assertEqual(self.take(state(value=value)), expected, value)
        self.take(state(value="1"))
        for value in ("yes", "", "2", "1" * 1000):
            self.assertTrue(self.take(state(value=value)), value)
        self.assertEqual(self.states.ignored, 4)

    def test_further_items(self) -> None:
        """The state is found by its name: newer Object Analytics tell other things first."""
        topic = "tnsaxis:CameraApplicationPlatform/ObjectAnalytics/Device1Scenario1"
        data = (("triggerTime", "1"), ("classTypes", "human"), ("active", "0"))
        self.assertFalse(self.take(state(topic)._replace(data=data)))
        self.assertEqual(self.states.known, 1)

    def test_what_is_not_told_again(self) -> None:
        """What a new session does not tell is gone; what it tells stays as it was."""
        self.take(state(VMD_FIRST), state(VMD_ANY))
        self.states.doubt()
        self.assertTrue(self.take(state(VMD_ANY, operation=Operation.INITIALIZED)))
        self.assertEqual(self.states.forget_doubtful(), 1)
        self.assertEqual((self.states.known, self.states.is_moving), (1, True))
        self.states.doubt()
        self.states.forget_doubtful()
        self.assertFalse(self.states.is_moving)

    def test_too_many(self) -> None:
        """A camera that invents instances without end fills nothing; those known go on."""
        topic = "tns1:RuleEngine/tnsaxis:VideoMotionDetection/motion"
        for number in range(MAX_INSTANCES + 50):
            self.take(state(topic, source=(("areaid", str(number)),)))
        self.assertEqual((self.states.known, self.states.ignored), (MAX_INSTANCES, 50))
        for number in range(MAX_INSTANCES):
            self.take(state(topic, "0", source=(("areaid", str(number)),)))
        self.assertFalse(self.states.is_moving)
