"""Who uses which stream: one RTSP session for all who want the same of a camera.

Cameras allow few sessions, so two recordings and a viewer that ask for the same device with the
same effective options share one. The first who asks starts it, the last who goes stops it. For a
camera given by URL no options are sent, so all its streams with the same tracks are one.

What is shared holds groups for as long back as the one who wants most of it: its pre-event time is
the longest that any share asks for, and follows as they come and go.

Effective are the options that are sent. With a pre-buffer ``videozgopmode`` and ``videozfpsmode``
are sent as ``fixed`` where they are not given, as what is set in the camera may be dynamic; so of
an Axis camera a stream with a pre-buffer is another one than the stream without, unless both
options are given.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.logger import Logger

from axis_nvr.config import CameraConfig
from axis_nvr.errors import ConfigError
from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.stream_options import StreamOptions


class RunningStream(Protocol):
    """What the registry asks of a stream."""

    @property
    def buffer(self) -> GopBuffer:
        """Where its groups are."""

    def start(self) -> object:
        """Connect, and come back whenever the connection goes."""

    def stop(self) -> "Deferred[None] | None":
        """Disconnect; fires when it is done."""


StreamType = TypeVar("StreamType", bound=RunningStream)


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What someone wants of a camera.

    :param pre_buffer: groups are held for recordings that begin later.
    """

    camera: CameraConfig
    options: StreamOptions
    pre_buffer: bool

    @property
    def key(self) -> tuple[str, str]:
        """Equal for requests that one stream serves."""
        if self.camera.url:
            tracks = f"audio={self.options.get('audio')}&video={self.options.get('video')}"
            return self.camera.id, tracks
        return self.options.stream_key(pre_buffer=self.pre_buffer)

    @property
    def sent_options(self) -> str:
        """What the camera is asked for; nothing if it is given by URL."""
        return "" if self.camera.url else self.options.effective(pre_buffer=self.pre_buffer)


@dataclass(slots=True, eq=False)
class _Shared(Generic[StreamType]):
    request: StreamRequest
    stream: StreamType
    leases: list["StreamLease[StreamType]"] = field(default_factory=list)

    def adjust(self) -> None:
        """Hold groups for as long back as any share wants."""
        wanted = [s.pre_event_seconds for s in self.leases if s.pre_event_seconds is not None]
        buffer = self.stream.buffer
        buffer.pre_event_seconds = max(wanted, default=None)
        if not wanted:
            buffer.clear()


class StreamLease(Generic[StreamType]):
    """A share in a running stream.

    :ivar stream: the stream, which others may use too.
    :ivar pre_event_seconds: how far back groups are held for this share; None: not at all.
    """

    def __init__(
        self,
        registry: "StreamRegistry[StreamType]",
        stream: StreamType,
        pre_event_seconds: float | None,
    ) -> None:
        self.stream = stream
        self.pre_event_seconds = pre_event_seconds
        self._registry = registry

    def want(self, pre_event_seconds: float | None) -> None:
        """Have groups held for another time, or not at all."""
        self.pre_event_seconds = pre_event_seconds
        self._registry.adjust(self)

    def release(self) -> "Deferred[None]":
        """Give it back; fires when a stream that nobody else uses has stopped. Once is enough."""
        return self._registry.release(self)


class StreamRegistry(Generic[StreamType]):
    """Starts, shares and stops streams.

    :param cameras: the cameras that stream options may name.
    :param make_stream: makes a stream that is not started.
    :param renew: has a stream use its camera as the request says by now.
    """

    log = Logger()

    def __init__(
        self,
        cameras: Iterable[CameraConfig],
        make_stream: Callable[[StreamRequest], StreamType],
        renew: Callable[[StreamType, StreamRequest], None] = lambda stream, request: None,
    ) -> None:
        self.cameras = {camera.id: camera for camera in cameras}
        self._make_stream = make_stream
        self._renew = renew
        self._shared: dict[tuple[str, str], _Shared[StreamType]] = {}

    def know(self, device: str, camera: CameraConfig | None) -> None:
        """Take note of a camera that is new or has changed, or of one that is gone.

        Its streams that run go on: what has changed they use when they connect the next time.
        """
        if camera is None:
            self.cameras.pop(device, None)
            return
        self.cameras[device] = camera
        for shared in self._shared.values():
            request = shared.request
            if request.camera.id == device and request.camera != camera:
                shared.request = replace(request, camera=camera)
                self._renew(shared.stream, shared.request)

    def request(self, options: StreamOptions, *, pre_buffer: bool = False) -> StreamRequest:
        """Say which camera and which stream of it is meant.

        :raises ConfigError: no camera has the id that the options name as device, or they ask for
            neither pictures nor sound.
        """
        camera = self.cameras.get(options.device)
        if camera is None:
            known = ", ".join(self.cameras) or "none"
            raise ConfigError(
                f"names the device {options.device!r}, which is not among the cameras: {known}"
            )
        if not (options.wants_video or options.wants_audio):
            raise ConfigError("asks for neither video nor audio")
        return StreamRequest(camera, options, pre_buffer)

    def acquire(
        self, request: StreamRequest, *, pre_event_seconds: float | None = None
    ) -> StreamLease[StreamType]:
        """Take a share in the stream that serves a request; the first one starts it.

        :param pre_event_seconds: how far back groups are to be held; a request for a pre-buffer
            has the shortest one without it.
        """
        if pre_event_seconds is None and request.pre_buffer:
            pre_event_seconds = 0.0
        shared = self._shared.get(request.key)
        first = shared is None
        if shared is None:
            shared = _Shared(request, self._make_stream(request))
            self._shared[request.key] = shared
        elif request.pre_buffer:  # what is doubtful with a pre-buffer counts from now on
            shared.request = request
        lease = StreamLease(self, shared.stream, pre_event_seconds)
        shared.leases.append(lease)
        shared.adjust()
        if first:
            shared.stream.start()
        return lease

    @property
    def streams(self) -> list[tuple[StreamRequest, StreamType]]:
        """All running streams, each with the request that it was started for."""
        return [(shared.request, shared.stream) for shared in self._shared.values()]

    def stop(self) -> "Deferred[list[None]]":
        """Stop all streams, whoever still has a share; fires when they have stopped."""
        stopping, self._shared = list(self._shared.values()), {}
        return gatherResults([self._stop(shared) for shared in stopping])

    def adjust(self, lease: StreamLease[StreamType]) -> None:
        """Hold groups as the shares of a stream want it by now; see `StreamLease.want`."""
        for shared in self._shared.values():
            if lease in shared.leases:
                shared.adjust()

    def release(self, lease: StreamLease[StreamType]) -> "Deferred[None]":
        """Take a share back; see `StreamLease.release`."""
        for key, shared in self._shared.items():
            if lease in shared.leases:
                shared.leases.remove(lease)
                if shared.leases:
                    shared.adjust()
                    return succeed(None)
                del self._shared[key]
                return self._stop(shared)
        return succeed(None)

    def _stop(self, shared: _Shared[StreamType]) -> "Deferred[None]":
        stopped = maybeDeferred(shared.stream.stop)
        stopped.addErrback(
            lambda failure: self.log.failure(
                "while the stream of {camera} stopped", failure, camera=shared.request.camera.id
            )
        )
        return stopped.addCallback(lambda _: shared.stream.buffer.clear())
