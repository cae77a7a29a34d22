"""What cameras say when something moves: topics, and which item of each is the state.

======================= ======================================================= ============
Source                  Topics                                                  State
======================= ======================================================= ============
``vmd``                 VMD 2 (two forms), VMD 3, VMD 4, VMDLite                ``active``,
                                                                                ``motion``
``object-analytics``    AXIS Object Analytics: each scenario, and any           ``active``
``guards``              Fence Guard, Loitering Guard, Motion Guard              ``active``
``onvif``               motion regions, motion alarm, cell motion detector      ``State``,
                                                                                ``IsMotion``
``pir``                 passive infrared sensor                                 ``state``
======================= ======================================================= ============

The applications of a camera tell each profile or scenario, and beside them one that stands for any
of them. Which of these a camera has depends on its version, so all count: something moves as long
as one of them says so.

How VMDLite calls its topic is told nowhere: whatever stands below the applications of a camera with
a name that begins with ``VMD`` is taken for motion detection.

A camera given by URL sends all of its events, and what it sees in each picture too. Therefore a
document is looked into only if it holds a word that a topic which counts must have.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from axis_nvr.wire.notification import Notification

_APPLICATIONS = "tnsaxis:CameraApplicationPlatform/"


class MotionTopic(NamedTuple):
    """Topics that tell of motion.

    :param source: which of `axis_nvr.config.events.MOTION_SOURCES` they are.
    :param beginning: of the topics, normalized, the lower levels without their prefixes: devices
        are not of one mind about these.
    :param item: of the data, which is the state.
    :param mark: a word that each document with such a topic has.
    :param subscription: what an Axis camera is asked for.
    """

    source: str
    beginning: str
    item: str
    mark: bytes
    subscription: str


_RULES, _ANALYTICS = "onvif:RuleEngine//.", "onvif:VideoAnalytics//."
_PLATFORM = "axis:CameraApplicationPlatform//."

#: Source: VAPIX event data streaming, AXIS Video Motion Detection, AXIS Object Analytics; ONVIF
#: Analytics Service Specification, annex A; ONVIF Imaging Service Specification (motion alarm).
MOTION_TOPICS = (
    MotionTopic(
        "vmd",
        "tns1:RuleEngine/VideoMotionDetection/",
        "active",
        b"VideoMotionDetection",
        _RULES,
    ),
    MotionTopic(
        "vmd",
        "tns1:VideoAnalytics/MotionDetection",
        "motion",
        b"MotionDetection",
        _ANALYTICS,
    ),
    MotionTopic("vmd", "tns1:RuleEngine/VMD3/", "active", b"VMD3", _RULES),
    MotionTopic("vmd", f"{_APPLICATIONS}VMD", "active", b"VMD", _PLATFORM),
    MotionTopic(
        "object-analytics",
        f"{_APPLICATIONS}ObjectAnalytics/",
        "active",
        b"ObjectAnalytics",
        _PLATFORM,
    ),
    MotionTopic("guards", f"{_APPLICATIONS}FenceGuard/", "active", b"FenceGuard", _PLATFORM),
    MotionTopic(
        "guards", f"{_APPLICATIONS}LoiteringGuard/", "active", b"LoiteringGuard", _PLATFORM
    ),
    MotionTopic("guards", f"{_APPLICATIONS}MotionGuard/", "active", b"MotionGuard", _PLATFORM),
    MotionTopic(
        "onvif",
        "tns1:RuleEngine/MotionRegionDetector/Motion",
        "State",
        b"MotionRegionDetector",
        _RULES,
    ),
    MotionTopic(
        "onvif",
        "tns1:RuleEngine/CellMotionDetector/Motion",
        "IsMotion",
        b"CellMotionDetector",
        _RULES,
    ),
    MotionTopic(
        "onvif",
        "tns1:VideoSource/MotionAlarm",
        "State",
        b"MotionAlarm",
        "onvif:VideoSource/MotionAlarm",
    ),
    MotionTopic("pir", "tns1:Device/Sensor/PIR", "state", b"PIR", "onvif:Device/axis:Sensor/PIR"),
)

_LOWER_PREFIX = re.compile("/[^/:]+:")


class MotionTopics:
    """Those that count.

    :param sources: out of `axis_nvr.config.events.MOTION_SOURCES`.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        wanted = frozenset(sources)
        self._topics = tuple(topic for topic in MOTION_TOPICS if topic.source in wanted)
        self._marks = tuple(dict.fromkeys(topic.mark for topic in self._topics))

    @property
    def query(self) -> str:
        """What an Axis camera is asked for its events and nothing else."""
        return f"video=0&audio=0&{self.arguments}"

    @property
    def arguments(self) -> str:
        """What an Axis camera is asked for in addition, to send these events too."""
        return f"event=on&eventtopic={quote(self.filter, safe='')}"

    @property
    def filter(self) -> str:
        """The topics, as an Axis camera is asked for them."""
        return "|".join(dict.fromkeys(topic.subscription for topic in self._topics))

    def are_in(self, document: bytes | bytearray) -> bool:
        """Tell whether a document may tell of motion: if not, it need not be read."""
        return any(mark in document for mark in self._marks)

    def counts(self, notification: Notification) -> bool:
        """Tell whether a notification is of a topic that counts, whatever it says."""
        return self._item(notification.topic) is not None

    def state(self, notification: Notification) -> str | None:
        """Return the state that a notification tells, as it was written; None if it tells none."""
        item = self._item(notification.topic)
        return dict(notification.data).get(item) if item is not None else None

    def _item(self, name: str) -> str | None:
        bare = _LOWER_PREFIX.sub("/", name)
        for topic in self._topics:
            if bare.startswith(topic.beginning):
                return topic.item
        return None
