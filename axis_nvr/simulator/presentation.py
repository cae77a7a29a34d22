"""What a virtual camera shows to one client: its tracks, described and played."""

from collections.abc import Callable, Sequence

from axis_nvr.protocols.presentation import IDelivery, IPresentation, PlayAnswer, TrackStart
from axis_nvr.session.server.description import describe
from axis_nvr.session.server.dialogue import Asked
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.simulator.fault_path import FaultPath
from axis_nvr.simulator.stream_request import read_arguments
from axis_nvr.simulator.tracks import Camera, Track, VideoTrack, make_tracks

#: Where Axis cameras have their live stream.
MEDIA_PATHS = ("/axis-media/media.amp", "/onvif-media/media.amp")


class CameraPresentation:
    """The live stream, as one client asked for it.

    :param url: what was asked for.
    :param stopped: called when it ends.
    """

    def __init__(
        self,
        camera: Camera,
        url: PresentationUrl,
        tracks: Sequence[Track],
        stopped: Callable[["CameraPresentation"], None],
    ) -> None:
        self.url = url
        self.tracks = tracks
        self._camera = camera
        self._stopped = stopped

    def describe(self, url: PresentationUrl, address: str) -> bytes:
        """Return the SDP."""
        number = self._camera.random.getrandbits(62)
        offered = [track.offered for track in self.tracks]
        if self._camera.srtp is not None:
            offered = [self._camera.srtp.describe(track) for track in offered]
        return describe(offered, url, number=number, address=address)

    def set_up(self, track: int, delivery: IDelivery) -> int:
        """Send a track to `delivery` from PLAY on.

        :raises RequestRefused: 404, there is no such track.
        """
        if track >= len(self.tracks):
            raise RequestRefused(404, "Not Found: no such track")
        chosen = self.tracks[track]
        path = FaultPath(self._camera.faults, self._camera.pacer, delivery, chosen.kind)
        return chosen.set_up(path)

    def play(self, asked: Asked) -> PlayAnswer:
        """Prepare to play from now on, whatever the range says: it is live."""
        start = self._camera.pacer.clock.seconds()
        starts = [
            TrackStart(index, *track.prepare(start))
            for index, track in enumerate(self.tracks)
            if track.is_set_up
        ]
        return PlayAnswer("npt=now-", starts)

    def started(self) -> None:
        """Begin to send."""
        for track in self.tracks:
            track.play()

    def pause(self) -> None:
        """Send nothing more until the next PLAY, which begins with what is new then."""
        for track in self.tracks:
            track.pause()

    def parameters(self, asked: Asked) -> bytes:
        """Understand ``Renew-Stream: yes`` and nothing else.

        :raises RequestRefused: 451.
        """
        text = asked.request.body.decode("latin-1")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if asked.method != "SET_PARAMETER" or [line.lower() for line in lines] != [
            "renew-stream: yes"
        ]:
            raise RequestRefused(451)
        for track in self.tracks:
            if isinstance(track, VideoTrack):
                track.renew()
        return b""

    def writable(self) -> None:
        """Go on: the client takes more."""
        for track in self.tracks:
            track.writable()

    def receiver_report(self, track: int, data: bytes) -> None:
        """Take a receiver report; a camera does nothing about it."""

    def stop(self) -> None:
        """End."""
        for track in self.tracks:
            track.stop()
        self._stopped(self)


class CameraPresentations:
    """All that a virtual camera has to show: its live stream, in many forms.

    :param audio_by_default: whether there is sound where ``audio`` is absent.
    """

    def __init__(self, camera: Camera, *, audio_by_default: bool) -> None:
        self._camera = camera
        self._audio_by_default = audio_by_default
        #: What is set up or played now, and not only described.
        self.open_ones: dict[CameraPresentation, None] = {}

    def open(self, url: PresentationUrl) -> IPresentation:
        """Return the live stream for one more client.

        :raises RequestRefused: 404, the path is another one; 400, it cannot be done like this.
        """
        if url.place not in MEDIA_PATHS:
            raise RequestRefused(404)
        request = read_arguments(url.arguments, audio_by_default=self._audio_by_default)
        tracks = make_tracks(self._camera, request)
        presentation = CameraPresentation(
            self._camera, url, tracks, lambda ended: self.open_ones.pop(ended, None)
        )
        self.open_ones[presentation] = None
        return presentation
