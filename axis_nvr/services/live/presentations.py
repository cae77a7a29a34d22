"""All that the recorder shows over RTSP, and which URL means what.

::

    ?recordingid=<id>, ?onvifreplayid=<id>     a recording: `IPlaybacks`
    ?playbackdevice=<id>                       all recordings of a device: the same
    ?device=<id>[&<stream options>]            a camera, live
    ?device=<id>&event=on                      with the recorder's events as one more track
    ?video=0&audio=0&event=on                  events alone
"""

from collections.abc import Callable
from random import Random, SystemRandom
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from axis_nvr.media.units import Format
from axis_nvr.protocols.presentation import IPresentation
from axis_nvr.services.event_presentation import EventStreams
from axis_nvr.services.live.feed import LiveFeed
from axis_nvr.services.live.feeds import LiveFeeds, shows
from axis_nvr.services.live.multicast import FeedPart
from axis_nvr.services.live.outlet import IPart, Outlet
from axis_nvr.services.live.presentation import LivePresentation
from axis_nvr.services.live.viewer import FeedViewer, outlets_of
from axis_nvr.session.packetizers.choose import offered_track
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.session.server.sessions import RequestRefused

#: Where the recorder has its streams; the second is what ONVIF clients of Axis devices are told.
LIVE_PATHS = frozenset({"/axis-media/media.amp", "/onvif-media/media.amp"})
#: And its recordings.
REPLAY_PATHS = LIVE_PATHS | {"/onvif-media/record/play.amp"}
#: Arguments that name a recording.
RECORDING_ARGUMENTS = ("recordingid", "onvifreplayid", "playbackdevice")


class IPlaybacks(Protocol):
    """What shows recordings."""

    def open(self, url: PresentationUrl) -> "IPresentation | Deferred[IPresentation]":
        """Return what a URL shows to one more client."""


class RecorderPresentations:
    """What the RTSP server of the recorder serves.

    :param feeds: the live streams.
    :param events: the recorder's events; None: there are none to be had.
    :param playbacks: the recordings; None: there are none to be had.
    :param clock: the reactor.
    :param utc_us: the wall clock, microseconds since 1970.
    :param cname: names this recorder in RTCP.
    """

    def __init__(
        self,
        feeds: LiveFeeds,
        events: EventStreams | None,
        playbacks: IPlaybacks | None,
        clock: Any,
        utc_us: Callable[[], int],
        *,
        cname: str,
        random: Random | None = None,
    ) -> None:
        self._feeds = feeds
        self._events = events
        self._playbacks = playbacks
        self._clock = clock
        self._utc_us = utc_us
        self._cname = cname
        self._random = SystemRandom() if random is None else random

    def open(self, url: PresentationUrl) -> "IPresentation | Deferred[IPresentation]":
        """Return what a URL shows to one more client.

        :raises RequestRefused: 404, there is nothing there, or 400, it cannot be had like this.
        """
        names_recording = any(name in url.arguments for name in RECORDING_ARGUMENTS)
        if url.place not in (REPLAY_PATHS if names_recording else LIVE_PATHS):
            raise RequestRefused(404)
        if not names_recording:
            return Deferred.fromCoroutine(self._open_live(url))
        if self._playbacks is None:
            raise RequestRefused(404, "Not Found: no such recording")
        return self._playbacks.open(url)

    async def _open_live(self, url: PresentationUrl) -> IPresentation:
        arguments = url.arguments
        wants_events = arguments.get("event", "off").lower() == "on" and self._events is not None
        shown = shows(arguments)
        wants_media = shown("video") or shown("audio")
        parts: list[IPart] = []
        events = self._open_events(url) if wants_events else None
        if wants_media and not (events is not None and "device" not in arguments):
            parts.append(await self._open_feed(url, shown))
        if events is not None:
            parts.append(events)
        if not parts:
            raise RequestRefused(404, "Not Found: neither video nor audio nor events")
        return LivePresentation(parts, self._random.getrandbits(62))

    async def _open_feed(self, url: PresentationUrl, shown: Callable[[str], bool]) -> IPart:
        """Watch a camera."""
        feed = self._feeds.join(url)
        try:
            await feed.ready()
            outlets = outlets_of(feed, shown, self._outlet)
            viewer = FeedViewer(
                feed,
                outlets,
                self._clock,
                self._utc_us,
                with_times=url.arguments.get("onvifreplayext") == "1",
                left=self._leave,
            )
            return FeedPart(feed, viewer, list(outlets))
        except BaseException:
            self._feeds.leave(feed)
            raise

    def _leave(self, feed: LiveFeed) -> None:
        self._feeds.leave(feed)

    def _outlet(self, format_: Format) -> Outlet | None:
        offered = offered_track(format_)
        return None if offered is None else Outlet(offered, self._random, self._cname)

    def _open_events(self, url: PresentationUrl) -> IPart:
        """Listen to events.

        :raises RequestRefused: 400, a filter cannot be read.
        """
        assert self._events is not None
        return self._events.open(url.arguments, self._random, self._cname)
