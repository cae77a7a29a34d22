"""One session with a camera."""

from axis_nvr.errors import RemoteProtocolError


class MediaMissing(RemoteProtocolError):
    """The camera plays, but nothing usable comes: the message says what is missing."""
