"""What is wanted of a camera, and how it is asked for: the same after each redirect."""

from collections.abc import Callable
from dataclasses import dataclass

from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.session.srtp_keys import KeyMaker
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import TransportChoice

USER_AGENT = "axis_nvr"

#: The Range of a live stream. Some servers do not understand ``npt=0-`` (gortsplib issue 574).
LIVE_RANGE = "npt=0.000-"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a session with a camera is for.

    :param transport: how media is to come.
    :param want: says whether a track is wanted; tracks that are not understood never are.
    :param user_agent: who we say we are.
    :param require: feature tags of the Require header, such as ``onvif-replay``.
    :param play_range: the Range header of PLAY; empty: none.
    :param jitter: gives numbers from 0 to 1, to spread the signs of life of many cameras.
    :param make_cnonce: gives text that nobody guesses, for Digest with ``qop``; None: at random.
    :param keys: makes keys for cameras that want SRTP; None: such a camera is refused.
    """

    transport: TransportChoice
    want: Callable[[TrackDescription], bool]
    user_agent: str = USER_AGENT
    require: tuple[str, ...] = ()
    play_range: str = LIVE_RANGE
    jitter: Callable[[], float] = lambda: 0.5
    make_cnonce: Callable[[], str] | None = None
    keys: KeyMaker | None = None

    def authenticator(self, credentials: Credentials | None) -> Authenticator:
        """Make what answers the camera's challenges."""
        if self.make_cnonce is None:
            return Authenticator(credentials)
        return Authenticator(credentials, self.make_cnonce)
