"""How a session with a camera fails, where no error of the layers below says it."""

from axis_nvr.errors import RemoteProtocolError


class MediaMissing(RemoteProtocolError):
    """The camera plays, or would, but nothing usable comes: the message says what is missing."""


class EventsMissing(RemoteProtocolError):
    """The camera has no track that tells of its events: asking soon again is of no use."""


class NoAnswer(RemoteProtocolError):
    """The camera does not answer: the message says what."""
