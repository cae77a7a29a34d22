"""The media of a session with a camera: what receives them, and what is wrong with them.

Pictures, or the only track there is, are what a session is for: what ends them ends the session.
Of sound beside pictures it is only told.
"""

from collections.abc import Sequence

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.media.units import UnitSink
from axis_nvr.protocols.failures import MediaMissing
from axis_nvr.session.dialogue_events import TrackSetUp
from axis_nvr.session.media import MediaReceiver, TrackEnded
from axis_nvr.session.srtp_media import ProtectedMediaReceiver
from axis_nvr.session.tracks import TrackDescription


def make_receiver(tracks: Sequence[TrackSetUp], deliver: UnitSink, ssrc: int) -> MediaReceiver:
    """Make what takes the media; one that knows SRTP only if there is some.

    :param tracks: as they were set up.
    :param ssrc: ours.
    """
    described = [each.track for each in tracks]
    cname = f"{ssrc:08x}@axis_nvr"
    protections = {it.track.index: it.protection for it in tracks if it.protection is not None}
    if not protections:
        return MediaReceiver(described, deliver, cname, ssrc)
    return ProtectedMediaReceiver(described, deliver, cname, ssrc, protections)


def doubts(receiver: MediaReceiver) -> list[str]:
    """Tell how much of what came is not authentic, in words."""
    if not isinstance(receiver, ProtectedMediaReceiver):
        return []
    refused = sum(it.refused for it in receiver.protection_statistics().values())
    return [f"{refused} packets were not authentic and were dropped"] if refused else []


def check_authentic(
    receiver: MediaReceiver, tracks: Sequence[TrackDescription], now: float
) -> None:
    """Look whether the keys fit.

    :raises MediaMissing: all that comes of a track that the session is for is not authentic.
    """
    if not isinstance(receiver, ProtectedMediaReceiver):
        return
    for index, refused in receiver.unauthentic_tracks(now).items():
        kind = _kind(tracks, index)
        if _is_needed(tracks, kind):
            raise MediaMissing(
                f"media cannot be authenticated: the last {refused} packets of {kind}"
                " fit none of the keys that were agreed on, or had come before"
            )


def check_goodbye(ended: TrackEnded, tracks: Sequence[TrackDescription]) -> str:
    """Take a goodbye.

    :returns: it in words.
    :raises RemoteProtocolError: it is that of a track that the session is for.
    """
    kind = _kind(tracks, ended.track)
    if _is_needed(tracks, kind):
        raise RemoteProtocolError(f"the camera said goodbye to its {kind}: {ended.reason}")
    return f"the camera said goodbye to its {kind}"


def _kind(tracks: Sequence[TrackDescription], index: int) -> str:
    return next((track.kind for track in tracks if track.index == index), "")


def _is_needed(tracks: Sequence[TrackDescription], kind: str) -> bool:
    """Tell whether the session is for tracks of a kind."""
    return kind == "video" or all(track.kind != "video" for track in tracks)
