"""Which stream of a camera somebody is to see, and the feeds of those that are watched.

::

    ?device=front                          a stream of it that runs already, else its default one
    ?device=front&audio=1                  one with sound
    ?device=front&resolution=640x360&…     the one with these options, as a recording would have it

Arguments that are no stream options are not passed on to a camera.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from axis_nvr.errors import ConfigError, WireError
from axis_nvr.media.stream_options import StreamOptions
from axis_nvr.services.live.feed import LiveFeed, WatchedStream, phrase
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from axis_nvr.services.stream_status import StreamState
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.session.server.sessions import RequestRefused

#: Seconds a feed stays after its last user has gone.
LINGER_SECONDS = 10.0

#: Streams of one camera that are watched, when one more would be started for a viewer: each is a
#: session that the camera must give.
MAX_STREAMS_OF_DEVICE = 8

#: Arguments of ``media.amp`` that choose how a camera makes its stream.
STREAM_OPTIONS = frozenset(
    {
        "videocodec",
        "streamprofile",
        "camera",
        "resolution",
        "fps",
        "compression",
        "videokeyframeinterval",
        "videobitratemode",
        "videomaxbitrate",
        "videobitratepriority",
        "videoabrtargetbitrate",
        "videoabrmaxbitrate",
        "videoabrretentiontime",
        "maxframesize",
        "videobitrate",
        "videozprofile",
        "videozstrength",
        "videozgopmode",
        "videozmaxgoplength",
        "videozfpsmode",
        "videozminfps",
        "videozprofilelevel",
        "h264profile",
        "videoframeskipmode",
        "videopsenabled",
        "rotation",
        "mirror",
        "color",
        "colorlevel",
        "palette",
        "squarepixel",
        "overlays",
        "clock",
        "date",
        "text",
        "textstring",
        "textcolor",
        "textbackgroundcolor",
        "textpos",
        "overlayimage",
        "overlaypos",
        "audiocodec",
        "audiobitrate",
        "audiosamplerate",
        "audiodeviceid",
        "audioinputid",
        "audiochannel",
        "audionbrofchannels",
    }
)


class LiveFeeds:
    """The feeds of all streams that somebody watches.

    :param registry: shares the streams.
    :param clock: the reactor.
    :param watched: told when somebody begins to watch anything, and when nobody does any more.
    """

    def __init__(
        self,
        registry: StreamRegistry[Any],
        clock: Any,
        watched: Callable[[bool], None] = lambda is_watched: None,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._watched = watched
        self._is_watched = False
        self._feeds: dict[WatchedStream, LiveFeed] = {}
        self._lingering: dict[LiveFeed, Any] = {}

    def join(self, url: PresentationUrl) -> LiveFeed:
        """Take part in the feed that a URL means; `leave` it when done.

        :raises RequestRefused: 404, there is no such device; 400, the options cannot be; 503,
            its camera is asked for too many different streams already.
        """
        request = self.request(url)
        self._bound(request)
        lease = self._registry.acquire(request)
        feed = self._feeds.get(lease.stream)
        if feed is None:
            camera = url.arguments.get("device", "")
            feed = self._feeds[lease.stream] = LiveFeed(camera, lease, self._clock, self._look)
        else:
            lease.release()
        lingering = self._lingering.pop(feed, None)
        if lingering is not None:
            lingering.cancel()
        feed.users += 1
        return feed

    def _bound(self, request: StreamRequest) -> None:
        """Refuse one stream too many of a camera; what runs already may be watched.

        :raises RequestRefused: 503.
        """
        if request.key in {running.key for running, _ in self._registry.streams}:
            return
        device = request.camera.id
        if sum(feed.device == device for feed in self._feeds.values()) >= MAX_STREAMS_OF_DEVICE:
            words = f"{device}: {MAX_STREAMS_OF_DEVICE} different streams of it are watched"
            raise RequestRefused(503, phrase(f"Service Unavailable: {words}"))

    def leave(self, feed: LiveFeed) -> None:
        """Let go of a feed."""
        feed.users -= 1
        if not feed.users and self._feeds.get(feed.lease.stream) is feed:
            self._lingering[feed] = self._clock.callLater(
                LINGER_SECONDS, self._end, feed, "nobody watches"
            )

    def follow(self) -> None:
        """End the feeds of devices that are no longer there."""
        for feed in list(self._feeds.values()):
            if feed.device not in self._registry.cameras:
                self._end(feed, f"{feed.device} was removed")

    def stop(self) -> None:
        """End all feeds."""
        for feed in list(self._feeds.values()):
            self._end(feed, "the recorder stops")

    @property
    def feeds(self) -> list[LiveFeed]:
        """The feeds there are."""
        return list(self._feeds.values())

    def _end(self, feed: LiveFeed, reason: str) -> None:
        self._feeds.pop(feed.lease.stream, None)
        lingering = self._lingering.pop(feed, None)
        if lingering is not None and lingering.active():
            lingering.cancel()
        feed.end(reason)
        self._look()

    def _look(self) -> None:
        """Tell whether anybody watches, if that has changed."""
        is_watched = any(feed.is_watched for feed in self._feeds.values())
        if is_watched is not self._is_watched:
            self._is_watched = is_watched
            self._watched(is_watched)

    def request(self, url: PresentationUrl) -> StreamRequest:
        """Say which stream a URL means.

        :raises RequestRefused: 404, there is no such device; 400, the options cannot be.
        """
        arguments = url.arguments
        device = arguments.get("device", "")
        if device not in self._registry.cameras:
            what = f"no device {device!r}" if device else "name a device: ?device=<id>"
            raise RequestRefused(404, phrase(f"Not Found: {what}"))
        given = _stream_options(url)
        if not given:
            running = self._running(device, arguments)
            if running is not None:
                return running
        tracks = [f"{name}={int(wanted)}" for name, wanted in _wanted_tracks(arguments).items()]
        devices = [part for part in url.query.split("&") if _name(part) == "device"]
        try:
            options = StreamOptions.parse("&".join([devices[-1], *given, *tracks]))
            return self._shared(self._registry.request(options))
        except (WireError, ConfigError) as error:
            raise RequestRefused(400, phrase(f"Bad Request: {error}")) from None

    def _running(self, device: str, arguments: Mapping[str, str]) -> StreamRequest | None:
        """Find a stream of a device that has the tracks wanted, best one that plays."""
        wanted = _wanted_tracks(arguments)
        fitting = [
            (stream.status.state is not StreamState.PLAYING, place, request)
            for place, (request, stream) in enumerate(self._registry.streams)
            if request.camera.id == device
            and (request.options.wants_video or not wanted["video"])
            and (request.options.wants_audio or not wanted["audio"])
        ]
        return min(fitting, key=lambda one: one[:2])[2] if fitting else None

    def _shared(self, request: StreamRequest) -> StreamRequest:
        """Find the stream with the same options that is held back for recordings too."""
        held = StreamRequest(request.camera, request.options, pre_buffer=True)
        keys = {running.key for running, _ in self._registry.streams}
        return held if held.key in keys and request.key not in keys else request


def shows(arguments: Mapping[str, str]) -> Callable[[str], bool]:
    """Tell which kinds of tracks a URL lets see: all but those it says 0 for."""
    return lambda kind: arguments.get(kind, "1") != "0"


def _wanted_tracks(arguments: Mapping[str, str]) -> dict[str, bool]:
    """Which tracks a stream must have: sound only if it is asked for, or alone."""
    video = arguments.get("video", "1") != "0"
    audio = arguments.get("audio", "0" if video else "1") != "0"
    return {"video": video, "audio": audio}


def _stream_options(url: PresentationUrl) -> list[str]:
    """The stream options of a URL, as they were written."""
    return [part for part in url.query.split("&") if _name(part) in STREAM_OPTIONS]


def _name(part: str) -> str:
    return unquote(part.partition("=")[0]).lower()
