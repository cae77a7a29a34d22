"""What is wanted of a camera, and what a session that brings it looks like from above."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from axis_nvr.media.units import AccessUnit, Codec, UnitSink
from axis_nvr.protocols.address import CameraAddress
from axis_nvr.session.media_track import TrackStatistics
from axis_nvr.session.tracks import TrackDescription


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream as it is wanted.

    :param device: the id of the camera, for log and status.
    :param address: where the stream is and how to get at it.
    :param want_events: fetch the track that tells of events, if there is one.
    :param topics: which events, where the address does not say so itself.
    """

    device: str
    address: CameraAddress
    want_video: bool = True
    want_audio: bool = False
    want_events: bool = False
    topics: str = ""

    def wants(self, track: TrackDescription) -> bool:
        """Tell whether a track of the camera's is to be fetched."""
        if track.codec is None:
            return False
        if track.codec is Codec.ONVIF_METADATA:
            return self.want_events
        return {"video": self.want_video, "audio": self.want_audio}.get(track.kind, False)


class IDocumentSink(Protocol):
    """Takes the documents by which a camera tells of its events. None of it waits or raises."""

    def began(self) -> None:
        """A session plays that brings some; the first of them may have come already."""

    def document_received(self, unit: AccessUnit) -> None:
        """A document came."""

    def ended(self, words: str) -> None:
        """A session is gone, or did not begin, and why."""


class ICameraSession(Protocol):
    """A session with a camera, playing."""

    @property
    def tracks(self) -> Sequence[TrackDescription]:
        """The tracks that were set up."""

    def statistics(self) -> Mapping[int, TrackStatistics]:
        """Tell what came of each track, by its index."""

    @property
    def heard(self) -> float | None:
        """When anything at all came last, in seconds of the reactor."""

    @property
    def clock_offset_us(self) -> int | None:
        """The camera's clock minus ours, if it tells its time."""

    @property
    def warnings(self) -> Sequence[str]:
        """What is odd about this session, in words."""

    def set_urgent(self, urgent: bool) -> None:
        """Read at once what comes, or on ticks."""

    def read_now(self) -> None:
        """Take what has come by now, should it be read on ticks."""

    def close(self) -> "Deferred[None]":
        """End the session; fires when it is gone, and never fails."""

    def abort(self, reason: Failure) -> None:
        """End the session at once; it is lost for this reason."""


#: Opens a session: the plan, who takes the units, who is told once that the session is lost.
SessionOpener = Callable[
    [StreamPlan, UnitSink, Callable[[Failure], None]],
    "Deferred[ICameraSession]",
]
