"""What has happened in the dialogue with a camera."""

from dataclasses import dataclass
from typing import TypeAlias

from axis_nvr.errors import PeerRefused
from axis_nvr.session.digest import Credentials
from axis_nvr.session.refusal import RefusalKind
from axis_nvr.session.srtp_keys import TrackProtection
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import TrackTransport
from axis_nvr.wire.rtsp_headers import RtpInfo


@dataclass(frozen=True, slots=True)
class TracksDescribed:
    """The camera has told what it offers; all of it, wanted or not, understood or not."""

    tracks: tuple[TrackDescription, ...]


@dataclass(frozen=True, slots=True)
class TrackSetUp:
    """Media of a track will come this way; reported for all tracks before PLAY is sent.

    :param protection: the keys of SRTP; None: it comes as plain RTP.
    """

    track: TrackDescription
    transport: TrackTransport
    protection: TrackProtection | None = None


@dataclass(frozen=True, slots=True)
class TrackRefused:
    """A track will not come, and the session goes on without it."""

    track: TrackDescription
    error: PeerRefused
    kind: RefusalKind


@dataclass(frozen=True, slots=True)
class Playing:
    """Media flows, or is about to.

    :param rtp_info: where tracks begin, as the camera says: a hint, often wrong (quirk 21).
    :param range: what is played, as the camera says; empty if it does not.
    """

    rtp_info: tuple[RtpInfo, ...] = ()
    range: str = ""


@dataclass(frozen=True, slots=True)
class Paused:
    """Media has stopped, the session lives on."""


@dataclass(frozen=True, slots=True)
class Redirected:
    """The stream is elsewhere; this dialogue is over: `Dialogue.successor` makes the next.

    :param url: where to go on.
    :param credentials: those to use there: None on another host.
    """

    url: str
    credentials: Credentials | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The camera said no; this dialogue is over.

    :param error: method, status and words for a person.
    :param kind: what to do about it.
    """

    error: PeerRefused
    kind: RefusalKind


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over in peace: torn down by us, or by the server as `reason` tells."""

    reason: str


Event: TypeAlias = (
    TracksDescribed | TrackSetUp | TrackRefused | Playing | Paused | Redirected | Refused | Ended
)
