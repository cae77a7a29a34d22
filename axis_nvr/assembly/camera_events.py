"""What listens to the cameras, and tells of their motion."""

from axis_nvr.assembly.events import Events
from axis_nvr.assembly.foundation import Foundation, utc_us
from axis_nvr.services.camera_events.camera_events import CameraEvents
from axis_nvr.services.motion_relay import MotionRelay
from axis_nvr.services.stream_plan import SessionOpener


def make_camera_events(base: Foundation, open_session: SessionOpener, told: Events) -> CameraEvents:
    """Make what listens to the cameras; those of the configuration file are known to it.

    :param open_session: connects.
    :param told: tells whether devices are connected.
    :raises ConfigError: what motion is to be called is no topic.
    """
    relay = MotionRelay(base.bus, base.config.events.motion_topic)
    events = CameraEvents(
        open_session, relay, base.config.events, base.reactor, utc_us, told.tell_of
    )
    for camera in base.config.cameras:
        events.change(camera.id, camera)
    return events
