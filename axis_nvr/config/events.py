"""The table ``[events]``: what of the cameras' events counts, and how it is told on."""

from collections.abc import Sequence
from dataclasses import dataclass

from axis_nvr.config.table import Table

#: What a camera can say that something moves: see `axis_nvr.services.camera_events.motion_topics`.
MOTION_SOURCES = ("vmd", "object-analytics", "guards", "onvif", "pir")
#: What counts unless told otherwise: what recorders of Axis import.
DEFAULT_MOTION = ("vmd",)
#: How the events of an Axis camera are fetched.
EVENTS_BY = ("rtsp", "websocket")
DEFAULT_MOTION_TOPIC = "tnsaxis:UniversalMotionDetection"


@dataclass(frozen=True, slots=True)
class EventsConfig:
    """How events of cameras are dealt with.

    :param motion: which of `MOTION_SOURCES` count, of cameras that name none themselves.
    :param motion_topic: of the recorder's own event, as given: not yet known to be a topic.
    :param with_video: events come in the session of a stream that runs, and in one of their own
        only while none does.
    """

    motion: tuple[str, ...] = DEFAULT_MOTION
    motion_topic: str = DEFAULT_MOTION_TOPIC
    with_video: bool = False


def read_events(table: Table) -> EventsConfig:
    """Read the table.

    :raises ConfigError: naming the key.
    """
    config = EventsConfig(
        motion=read_motion(table, DEFAULT_MOTION),
        motion_topic=table.text("motion_topic", DEFAULT_MOTION_TOPIC),
        with_video=table.take("with_video", bool, False),
    )
    table.finish()
    return config


def read_motion(table: Table, default: Sequence[str]) -> tuple[str, ...]:
    """Read what counts as motion.

    :raises ConfigError: naming the key.
    """
    words = table.take("motion", list, list(default))
    known = ", ".join(MOTION_SOURCES)
    for word in words:
        if word not in MOTION_SOURCES:
            raise table.wrong("motion", f"must be a list out of {known}, and has {word!r:.80}")
    return tuple(dict.fromkeys(words))
