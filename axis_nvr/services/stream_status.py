"""What people want to know about a stream."""

from dataclasses import dataclass
from enum import StrEnum

from axis_nvr.media.units import AudioFormat, Format, VideoFormat
from axis_nvr.protocols.address import StreamProtocol
from axis_nvr.services.stream_errors import StreamError


class StreamState(StrEnum):
    """Where a stream is in its life."""

    IDLE = "idle"  # not wanted
    CONNECTING = "connecting"
    PLAYING = "playing"
    WAITING = "waiting"  # it went, and is tried again soon
    REFUSED = "refused"  # the camera refuses the options; tried again slowly
    LOCKED_OUT = "locked-out"  # the camera refuses the account; tried again very slowly
    MISCONFIGURED = "misconfigured"  # nothing helps but another configuration
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class TrackStatus:
    """One track of a stream that plays.

    :param codec: in the words of VAPIX; empty while nothing came of it.
    :param width: in pixels, of video.
    :param sample_rate: in Hz, of audio.
    """

    index: int
    kind: str
    codec: str = ""
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A stream as it is now.

    :param device: the id of its camera.
    :param since_us: when it came into this state: UTC, microseconds since 1970.
    :param bitrate: bits of media a second, over the last seconds.
    :param fps: pictures a second, over the last seconds.
    :param packets_received: since the stream was started, over all its sessions; so are those
        lost, and those that came in another order than they were sent.
    :param reconnects: how often it played again after it had been interrupted.
    :param last_error: what went wrong last, even if all is well since; None: nothing yet.
    :param retry_us: when it is tried again: UTC, microseconds since 1970; None: not waiting.
    :param warnings: what is odd, in words.
    :param clock_offset_us: camera's clock minus ours; None if the camera does not tell its time.
    """

    device: str
    protocol: StreamProtocol
    state: StreamState
    since_us: int
    bitrate: int = 0
    fps: float = 0.0
    packets_received: int = 0
    packets_lost: int = 0
    packets_reordered: int = 0
    reconnects: int = 0
    last_error: StreamError | None = None
    retry_us: int | None = None
    warnings: tuple[str, ...] = ()
    tracks: tuple[TrackStatus, ...] = ()
    clock_offset_us: int | None = None


def describe_track(index: int, kind: str, form: Format | None) -> TrackStatus:
    """Tell of a track what its units carry."""
    if isinstance(form, VideoFormat):
        return TrackStatus(index, kind, form.codec, form.width, form.height)
    if isinstance(form, AudioFormat):
        return TrackStatus(
            index, kind, form.codec, sample_rate=form.sample_rate, channels=form.channels
        )
    return TrackStatus(index, kind, form.codec if form else "")
