"""What people want to know about the events of one camera."""

from dataclasses import dataclass

from axis_nvr.services.stream_status import StreamStatus


@dataclass(frozen=True, slots=True)
class CameraEventsReport:
    """The events of one camera.

    :param status: of the session that is for events alone; None: they come with the video.
    :param is_heard: whether there is a session that brings them.
    :param is_moving: whether something moves.
    :param states: areas, profiles and scenarios that the camera has told.
    :param notifications: of motion, since the start.
    :param nonsense: documents and notifications that made no sense.
    :param passed_over: documents that came too fast and were not read.
    """

    device: str
    status: StreamStatus | None
    is_heard: bool
    is_moving: bool
    states: int
    notifications: int
    nonsense: int
    passed_over: int
