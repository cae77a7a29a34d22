"""The URLs of recordings, and what they open.

::

    rtsp://<host>/axis-media/media.amp?recordingid=<recording>[&pull=1]
    rtsp://<host>/onvif-media/record/play.amp?onvifreplayid=<disk>_<recording>
    rtsp://<host>/axis-media/media.amp?playbackdevice=<device>[&diskid=<disk>]    of our own

Arguments that go with each: ``diskid`` (look there only), ``pull=1`` (as fast as the client reads),
``onvifreplayext`` (1 or 0: with the replay extension or without, whatever the client says),
``video=0`` and ``audio=0``.
"""

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from axis_nvr.errors import StorageError
from axis_nvr.protocols.presentation import IPresentation
from axis_nvr.services.library import Library, NoRecording
from axis_nvr.services.playback.playback import Playback
from axis_nvr.services.playback.subject import Subject, device_subject, recording_subject
from axis_nvr.services.playback.track import played_tracks
from axis_nvr.session.replay.order import FEATURE
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.session.server.sessions import RequestRefused

#: Where ONVIF clients are sent for recordings.
REPLAY_PATH = "/onvif-media/record/play.amp"
#: What an RTSP server that has playbacks knows of.
FEATURES = frozenset({FEATURE})


class Playbacks:
    """An `axis_nvr.protocols.presentation.IPresentations` of all recordings.

    :param clock: the reactor.
    :param utc: the time of day, in seconds since 1970.
    """

    def __init__(
        self,
        library: Library,
        clock: Any,
        *,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._library = library
        self._clock = clock
        self._utc = utc

    def open(self, url: PresentationUrl) -> "Deferred[IPresentation]":
        """Open what a URL names.

        :returns: the presentation; a failure with 404 if there is none, 503 if a disk cannot be
            read.
        """
        return Deferred.fromCoroutine(self._open(url))

    async def _open(self, url: PresentationUrl) -> IPresentation:
        try:
            subject = await self._subject(url)
            extent = await subject.extent()
            formats = await subject.formats()
        except NoRecording as error:
            raise RequestRefused(404, "Not Found: no such recording") from error
        except StorageError as error:
            raise RequestRefused(503, "the disk cannot be read") from error
        arguments = url.arguments
        unwanted = {kind for kind in ("video", "audio") if arguments.get(kind) == "0"}
        tracks = [one for one in played_tracks(formats) if one.offered.kind not in unwanted]
        if extent is None or not tracks:
            raise RequestRefused(404, "Not Found: nothing to be played")
        is_onvif = url.place == REPLAY_PATH
        extension = {"0": False, "1": True}.get(arguments.get("onvifreplayext", ""))
        return Playback(
            self._clock,
            self._utc,
            subject,
            extent,
            tracks,
            unit="clock" if is_onvif else "npt",
            pull=arguments.get("pull") == "1",
            has_extension=True if is_onvif and extension is None else extension,
        )

    async def _subject(self, url: PresentationUrl) -> Subject:
        """Find what a URL names.

        :raises NoRecording: there is no such thing.
        """
        arguments = url.arguments
        disk = arguments.get("diskid") or None
        if "onvifreplayid" in arguments:
            named = _unquoted(arguments["onvifreplayid"])
            for one in self._library.disks:
                if named.startswith(f"{one}_"):
                    disk, named = one, named.removeprefix(f"{one}_")
                    break
            return recording_subject(await self._library.locate(named, disk))
        if "recordingid" in arguments:
            named = _unquoted(arguments["recordingid"])
            return recording_subject(await self._library.locate(named, disk))
        device = _unquoted(arguments.get("playbackdevice", ""))
        for shelf in self._library.chosen(disk):
            subject = device_subject(shelf, device)
            if device and await subject.extent() is not None:
                return subject
        raise NoRecording(f"there are no recordings of {device!r:.60}")


def _unquoted(value: str) -> str:
    return value.strip().strip("\"'")
