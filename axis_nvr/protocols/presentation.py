"""What an RTSP server serves, seen from the protocol: presentations, and where packets go.

The server knows requests, sessions and transports; a presentation knows media. They meet here::

    DESCRIBE   open(url) ─► describe(…)                    ─► stop()
    SETUP      open(url) ─► set_up(track, delivery)                      one for each session
    PLAY                    play(asked), the reply, started()
               media ─► delivery.send(packets of a frame) ─► client
               writable()  when a client that was too slow takes more again
    PAUSE                   pause()
    TEARDOWN, silence, end of the connection                ─► stop()

Whatever says no raises `axis_nvr.session.server.sessions.RequestRefused`. Where the
type says so, a method may return a Deferred.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol as Interface

from twisted.internet.defer import Deferred

from axis_nvr.session.server.dialogue import Asked
from axis_nvr.session.server.presentation_url import PresentationUrl


@dataclass(frozen=True, slots=True)
class TrackStart:
    """Where a track begins after PLAY, as ``RTP-Info`` tells it.

    :param sequence_number: of the first packet.
    :param timestamp: RTP time of the start of the range.
    """

    track: int
    sequence_number: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class PlayAnswer:
    """What PLAY is answered with.

    :param range_value: the value of the ``Range`` header.
    :param headers: further headers, such as ``Scale``.
    """

    range_value: str
    starts: Sequence[TrackStart]
    headers: Sequence[tuple[str, str]] = ()


class IDelivery(Interface):
    """Where the packets of one track of one client go."""

    @property
    def payload_limit(self) -> int:
        """Bytes of the largest RTP payload that the client takes."""

    def send(self, packets: Sequence[bytes]) -> bool:
        """Send the RTP packets of one frame.

        :returns: False if the client is too slow to take them: nothing of the frame was sent,
            and `IPresentation.writable` tells when to go on.
        """

    def send_report(self, data: bytes) -> None:
        """Send one RTCP compound; it is dropped if the client is too slow."""

    def send_partly(self, packet: bytes, size: int) -> None:
        """Send the first `size` bytes of a packet framed as if all of it followed: a fault."""

    def disconnect(self) -> None:
        """End the connection of this client, what was sent before going out first."""


class IPresentation(Interface):
    """What one URL shows to one client."""

    def describe(self, url: PresentationUrl, address: str) -> bytes | Deferred[bytes]:
        """Return the SDP.

        :param url: as the client named it.
        :param address: of ours, as the client reached it.
        """

    def set_up(self, track: int, delivery: IDelivery) -> int:
        """Send a track to `delivery` from PLAY on.

        :returns: the synchronisation source it will have.
        """

    def play(self, asked: Asked) -> PlayAnswer | Deferred[PlayAnswer]:
        """Prepare to play what was asked for; nothing is sent before `started`."""

    def started(self) -> None:
        """Begin to send: the reply to PLAY is out."""

    def pause(self) -> None:
        """Send nothing more until the next PLAY."""

    def parameters(self, asked: Asked) -> bytes | Deferred[bytes]:
        """Answer GET_PARAMETER or SET_PARAMETER with the body of the reply."""

    def writable(self) -> None:
        """Go on: the client takes more."""

    def receiver_report(self, track: int, data: bytes) -> None:
        """Take one RTCP compound of the client's; not checked in any way."""

    def stop(self) -> None:
        """End. Called exactly once, also after an error."""


class IPresentations(Interface):
    """All that a server has to show."""

    def open(self, url: PresentationUrl) -> IPresentation | Deferred[IPresentation]:
        """Return what a URL shows to one more client."""
