"""Opening a session with a camera, by whatever way it is to be reached."""

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError as TimedOut
from twisted.python.failure import Failure

from axis_nvr.errors import ConfigError, RemoteProtocolError, WireError
from axis_nvr.media.units import UnitSink
from axis_nvr.protocols.address import (
    DATAGRAMS,
    ENCRYPTED,
    TUNNELLED,
    CameraAddress,
    StreamProtocol,
)
from axis_nvr.protocols.channel import IChannel, IChannelOwner, connect
from axis_nvr.protocols.media_ports import MediaPorts
from axis_nvr.protocols.rtsp_client import CameraSession
from axis_nvr.protocols.tick import TickReader
from axis_nvr.protocols.tunnel import TunnelChannel
from axis_nvr.session.dialogue import Dialogue
from axis_nvr.session.digest import Authenticator
from axis_nvr.session.srtp_keys import KeyMaker
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import Delivery, TransportChoice
from axis_nvr.session.tunnel import TunnelClient
from axis_nvr.session.wish import USER_AGENT, Wish

#: How long the way from the host's name to PLAY may take altogether, in seconds.
OPEN_SECONDS = 60.0
#: Tracks of a session that can have UDP ports: one of each kind that is wanted.
MAX_DATAGRAM_TRACKS = 3


class CameraOpener:
    """Opens sessions, all of them read by one ticker.

    :param reactor: the reactor.
    :param ticker: reads streams that nobody watches.
    :param utc: the time of day, in seconds since 1970.
    """

    def __init__(
        self, reactor: Any, ticker: TickReader, *, utc: Callable[[], float] = time.time
    ) -> None:
        self._reactor = reactor
        self._ticker = ticker
        self._utc = utc

    def open(
        self,
        address: CameraAddress,
        want: Callable[[TrackDescription], bool],
        deliver: UnitSink,
        lost: Callable[[Failure], None],
    ) -> "Deferred[CameraSession]":
        """Connect to a camera and have it play.

        :param want: which of the camera's tracks are wanted; of each kind the first is fetched.
        :param deliver: takes the units.
        :param lost: told once, if it happens after the session was returned and not by its
            `CameraSession.close`, that it is over.
        :returns: the session, playing. Cancelling ends what was begun. It fails with `ConfigError`,
            `PeerRefused`, `RemoteProtocolError`, `WireError`, or what Twisted and OpenSSL raise.
        """
        opening = Deferred.fromCoroutine(self._open(address, first_of_each(want), deliver, lost))
        return opening.addTimeout(OPEN_SECONDS, self._reactor, _took_too_long)

    async def _open(
        self,
        address: CameraAddress,
        want: Callable[[TrackDescription], bool],
        deliver: UnitSink,
        lost: Callable[[Failure], None],
    ) -> CameraSession:
        address.check()
        dialogue: Dialogue | None = None
        ssrc = random.getrandbits(32)
        keys = KeyMaker(ssrc, lambda: int(self._utc() * 1e6))
        while True:  # the dialogue bounds how often it goes elsewhere
            session = CameraSession(self._reactor, deliver, lost, utc=self._utc, ssrc=ssrc)
            channel = await self._open_channel(address, session)
            try:
                ports, choice = self._prepare(address, channel, session)
                dialogue = dialogue or make_dialogue(address, choice, want, keys)
            except BaseException:
                channel.abort()
                raise
            elsewhere = await session.play(dialogue, channel, ports)
            if elsewhere is None:
                return session
            dialogue = dialogue.successor()
            address = redirected(address, elsewhere.url)

    async def _open_channel(self, address: CameraAddress, owner: IChannelOwner) -> IChannel:
        """Open what carries the dialogue."""
        if address.protocol not in TUNNELLED:
            return await connect(self._reactor, address, self._ticker, owner)
        authenticator = Authenticator(address.credentials) if address.credentials else None
        client = TunnelClient(address.url, secrets.token_hex(11), authenticator, USER_AGENT)
        tunnel = TunnelChannel(self._reactor, address, self._ticker, owner, client)
        await tunnel.open()
        return tunnel

    def _prepare(
        self, address: CameraAddress, channel: IChannel, session: CameraSession
    ) -> tuple[MediaPorts | None, TransportChoice]:
        """Bind ports, if media is to come in datagrams."""
        if address.protocol not in DATAGRAMS:
            return None, TransportChoice()
        hosts = channel.hosts
        ports = MediaPorts(self._reactor, self._ticker, *hosts, address.interface, session)
        if address.protocol is StreamProtocol.RTSPM:
            return ports, TransportChoice(Delivery.MULTICAST)
        return ports, TransportChoice(Delivery.UNICAST, ports.bind(MAX_DATAGRAM_TRACKS))


def make_dialogue(
    address: CameraAddress,
    choice: TransportChoice,
    want: Callable[[TrackDescription], bool],
    keys: KeyMaker | None = None,
) -> Dialogue:
    """Make what is said to a camera.

    :param keys: makes ours, for SRTP.
    :raises ConfigError: its URL is no RTSP URL.
    """
    try:
        wish = Wish(choice, want, jitter=random.random, keys=keys)
        return Dialogue(address.url, address.credentials, wish)
    except WireError as error:
        raise ConfigError(str(error))


def first_of_each(want: Callable[[TrackDescription], bool]) -> Callable[[TrackDescription], bool]:
    """Narrow a wish down to one track of each kind: the first that is wanted."""
    chosen: dict[str, int] = {}

    def choose(track: TrackDescription) -> bool:
        return want(track) and chosen.setdefault(track.kind, track.index) == track.index

    return choose


def redirected(address: CameraAddress, url: str) -> CameraAddress:
    """Return where a redirect leads.

    :raises RemoteProtocolError: it leads out of a tunnel or out of TLS.
    """
    if address.protocol in TUNNELLED:
        raise RemoteProtocolError("redirected out of the tunnel, which is not followed")
    if url.startswith("rtsps:"):
        return replace(address, url=url, protocol=StreamProtocol.RTSPS)
    if address.protocol in ENCRYPTED:
        raise RemoteProtocolError("redirected from TLS to plain text, which is not followed")
    return replace(address, url=url)


def _took_too_long(result: object, timeout: float) -> NoReturn:
    """Say it in words."""
    raise TimedOut(string=f"no stream within {timeout:g} s")
