"""What an RTSP server does for each request: open presentations, choose transports, play.

Source: RFC 2326 §10, §12.39; the replies of Axis devices.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from axis_nvr.protocols.presentation import IPresentation, IPresentations, PlayAnswer
from axis_nvr.protocols.rtp_delivery import (
    IClientConnection,
    InterleavedDelivery,
    MulticastDelivery,
    MulticastGroup,
    UdpDelivery,
    UdpPorts,
)
from axis_nvr.protocols.shared_groups import IGroups, SharedDelivery
from axis_nvr.protocols.srtp_delivery import ProtectedDelivery
from axis_nvr.session.server.dialogue import Asked
from axis_nvr.session.server.sessions import RequestRefused, ServerSession, SessionTable
from axis_nvr.session.server.srtp import KeySource, SrtpGate
from axis_nvr.session.srtp import SrtpSender
from axis_nvr.session.transports import SECURE_PROFILES
from axis_nvr.wire.rtsp_headers import RtpInfo, Transport, build_rtp_info, build_transport

#: Tracks of one session.
MAX_TRACKS = 16
#: The highest channel of an interleaved frame.
_MAX_CHANNEL = 255

T = TypeVar("T")
#: Told of a PLAY that was answered, the first of its session, and the connection it came by.
Played: TypeAlias = Callable[[Asked, IClientConnection], None]
AnyDelivery: TypeAlias = InterleavedDelivery | UdpDelivery | MulticastDelivery | SharedDelivery


@dataclass(slots=True, eq=False)
class ClientSession:
    """What the server attached to a session.

    :ivar connection: the one that carries its packets; None while none does.
    :ivar has_played: whether it ever did.
    """

    presentation: IPresentation
    deliveries: dict[int, AnyDelivery] = field(default_factory=dict)
    connection: IClientConnection | None = None
    has_played: bool = False


class Reply(NamedTuple):
    """What a request is answered with.

    :ivar playing: what begins to play once the reply is out.
    """

    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    playing: IPresentation | None = None


async def _settled(value: "T | Deferred[T]") -> T:
    """Wait for a value that may be there already."""
    if isinstance(value, Deferred):
        return cast("T", await value)
    return value


class RequestAnswerer:
    """Answers the requests of all connections of a server.

    :param clock: tells when receiver reports come.
    :param presentations: what there is to see.
    :param sessions: those of the server.
    :param udp: the ports that datagrams are sent from.
    :param multicast: where tracks go for clients that ask for multicast; None: they may not.
    :param srtp: has the keys, if media is to be protected; None: it goes as plain RTP.
    :param played: called with what a client begins to play, once for each session.
    :param groups: what there is by multicast, where `multicast` is None; None: nothing.
    """

    log = Logger()

    def __init__(
        self,
        clock: Any,
        presentations: IPresentations,
        sessions: SessionTable,
        udp: UdpPorts,
        multicast: MulticastGroup | None,
        srtp: SrtpGate | None = None,
        *,
        played: Played = lambda asked, connection: None,
        groups: IGroups | None = None,
    ) -> None:
        self._groups = groups
        self._clock = clock
        self._played = played
        self._presentations = presentations
        self._sessions = sessions
        self._udp = udp
        self._multicast = multicast
        self._srtp = srtp
        self._profiles = ("AVP",) if srtp is None else SECURE_PROFILES

    async def answer(self, asked: Asked, connection: IClientConnection) -> Reply:
        """Do what one request asks.

        :raises RequestRefused: it cannot be done.
        """
        if asked.method == "DESCRIBE":
            return await self._describe(asked, connection)
        if asked.method == "SETUP":
            transport = await self._set_up(asked, connection)
            return Reply([("Transport", build_transport(transport))])
        if asked.session is None:
            return await self._parameters_without_session(asked)
        client = asked.session.application
        if not isinstance(client, ClientSession):
            raise RequestRefused(454)
        if asked.method == "PLAY":
            answer = await _settled(client.presentation.play(asked))
            if asked.session.application is not client:  # torn down meanwhile
                raise RequestRefused(454)
            if not client.has_played:
                client.has_played = True
                self._played(asked, connection)
            return Reply(_play_headers(asked.session, answer), playing=client.presentation)
        if asked.method == "PAUSE":
            client.presentation.pause()
            return Reply()
        return Reply(body=await _settled(client.presentation.parameters(asked)))

    def end(self, session: ServerSession) -> None:
        """Stop what a session plays; it is out of the table already."""
        client, session.application = session.application, None
        if isinstance(client, ClientSession):
            if client.connection is not None:
                client.connection.carried.pop(session, None)
            with self.log.failuresHandled("while stopping a presentation"):
                client.presentation.stop()
            for delivery in client.deliveries.values():
                delivery.close()

    async def _describe(self, asked: Asked, connection: IClientConnection) -> Reply:
        """Describe what a URL shows."""
        presentation = await _settled(self._presentations.open(asked.url))
        try:
            body = await _settled(presentation.describe(asked.url, connection.server_host))
        finally:
            presentation.stop()
        return Reply(
            [("Content-Type", "application/sdp"), ("Content-Base", asked.url.content_base)], body
        )

    async def _parameters_without_session(self, asked: Asked) -> Reply:
        """Answer parameters of a presentation that this client does not play."""
        presentation = await _settled(self._presentations.open(asked.url))
        try:
            return Reply(body=await _settled(presentation.parameters(asked)))
        finally:
            presentation.stop()

    async def _set_up(self, asked: Asked, connection: IClientConnection) -> Transport:
        """Prepare the way of one track."""
        session = asked.session
        assert session is not None
        client = session.application
        if not isinstance(client, ClientSession):
            presentation = await _settled(self._presentations.open(asked.url))
            client = session.application = ClientSession(presentation)
        try:
            if self._sessions.find(session.session_id) is not session:  # expired meanwhile
                raise RequestRefused(454)
            return self._prepare(asked, session, client, connection)
        finally:
            if not client.deliveries:
                self.end(session)

    def _prepare(
        self,
        asked: Asked,
        session: ServerSession,
        client: ClientSession,
        connection: IClientConnection,
    ) -> Transport:
        """Choose a transport for a track and tell the presentation.

        :raises RequestRefused: 455, 461, 463 or what the presentation says.
        """
        track = asked.url.track or 0
        if track in client.deliveries or len(client.deliveries) >= MAX_TRACKS:
            raise RequestRefused(455, "Transport cannot be changed")
        key = None if self._srtp is None else self._srtp.admit(asked)
        delivery, transport = self._delivery(asked, session, client, connection)
        if isinstance(delivery, SharedDelivery):
            ssrc = delivery.ssrc
        else:
            way = delivery if key is None else ProtectedDelivery(delivery, SrtpSender(key))
            try:
                ssrc = client.presentation.set_up(track, way)
            except BaseException:
                delivery.close()
                raise
        client.deliveries[track] = delivery
        if isinstance(delivery, InterleavedDelivery):
            client.connection = connection
            connection.carried[session] = client
        transport = replace(transport, ssrc=ssrc, mode="PLAY")
        session.tracks[track] = transport
        return transport

    def _delivery(
        self,
        asked: Asked,
        session: ServerSession,
        client: ClientSession,
        connection: IClientConnection,
    ) -> tuple[AnyDelivery, Transport]:
        """Take the first of the offered transports that there is.

        :raises RequestRefused: 461, there is none.
        """
        track = asked.url.track or 0
        refusal = RequestRefused(461)
        for offered in asked.transports:
            profile = offered.profile
            if profile not in self._profiles or offered.mode not in ("", "PLAY"):
                continue
            if offered.lower == "TCP":
                return _interleaved(offered, client, connection, asked.blocksize)
            if offered.multicast:
                if self._multicast is not None and self._has_one_key:
                    return self._to_group(
                        self._multicast, track, connection, asked.blocksize, profile
                    )
                if self._groups is not None and self._may_be_overheard(connection):
                    try:
                        return self._to_shared_group(self._groups, track, client, profile)
                    except RequestRefused as refused:  # another transport may do
                        refusal = refused
            elif offered.client_port is not None and self._may_send_datagrams(connection):
                delivery = self._to_client(asked, offered.client_port, session, client, connection)
                ports = (delivery.rtp_address[1], delivery.rtcp_address[1])
                return delivery, Transport(profile, client_port=ports, server_port=self._udp.ports)
        raise refusal

    def _may_be_overheard(self, connection: IClientConnection) -> bool:
        """Whether media may go to all: not if somebody took care that nobody reads it."""
        in_clear = not connection.is_secure and not connection.tunnelled
        return in_clear and self._srtp is None

    def _to_shared_group(
        self, groups: IGroups, track: int, client: ClientSession, profile: str
    ) -> tuple[SharedDelivery, Transport]:
        """Let a client listen to what goes to a group anyway."""
        delivery = groups.join(client.presentation, track, self._udp)
        transport = Transport(
            profile,
            multicast=True,
            destination=delivery.address,
            port=delivery.ports,
            ttl=delivery.ttl,
        )
        return delivery, transport

    def _may_send_datagrams(self, connection: IClientConnection) -> bool:
        """Whether media may leave the connection: not out of a tunnel, not in clear out of TLS."""
        is_protected = self._srtp is not None or not connection.is_secure
        return is_protected and not connection.tunnelled

    @property
    def _has_one_key(self) -> bool:
        """Whether what goes to a group can be read by all who asked for it."""
        return self._srtp is None or self._srtp.source is KeySource.OFFERED

    def _to_client(
        self,
        asked: Asked,
        client_port: tuple[int, int | None],
        session: ServerSession,
        client: ClientSession,
        connection: IClientConnection,
    ) -> UdpDelivery:
        """Prepare datagrams to the host that the request came from."""
        rtp, rtcp = client_port
        assert self._udp.ports
        track = asked.url.track or 0

        def report_received(data: bytes) -> None:
            session.last_seen = self._clock.seconds()
            client.presentation.receiver_report(track, data)

        ports = (rtp, rtp + 1 if rtcp is None else rtcp)
        return UdpDelivery(
            self._udp,
            connection.client_host,
            ports,
            asked.blocksize,
            report_received,
            connection.disconnect,
            client.presentation.writable,
        )

    def _to_group(
        self,
        group: MulticastGroup,
        track: int,
        connection: IClientConnection,
        blocksize: int | None,
        profile: str,
    ) -> tuple[MulticastDelivery, Transport]:
        """Prepare datagrams to the group."""
        assert self._udp.ports
        delivery = MulticastDelivery(self._udp, group, track, blocksize, connection.disconnect)
        transport = Transport(
            profile, multicast=True, destination=group.address, port=delivery.ports, ttl=group.ttl
        )
        return delivery, transport


def _interleaved(
    offered: Transport,
    client: ClientSession,
    connection: IClientConnection,
    blocksize: int | None,
) -> tuple[InterleavedDelivery, Transport]:
    """Prepare frames in the connection.

    :raises RequestRefused: 461, the channels are taken or none.
    """
    taken = {
        channel
        for delivery in client.deliveries.values()
        if isinstance(delivery, InterleavedDelivery)
        for channel in delivery.channels
    }
    first, second = offered.interleaved or (2 * len(client.deliveries), None)
    channels = (first, first + 1 if second is None else second)
    if taken & set(channels) or channels[0] == channels[1] or max(channels) > _MAX_CHANNEL:
        raise RequestRefused(461, "Channels are taken")
    delivery = InterleavedDelivery(connection, channels, blocksize)
    return delivery, Transport(offered.profile, "TCP", interleaved=channels)


def _play_headers(session: ServerSession, answer: PlayAnswer) -> list[tuple[str, str]]:
    """Write the headers of the reply to PLAY."""
    info = [
        RtpInfo(session.url.track_url(start.track), start.sequence_number, start.timestamp)
        for start in answer.starts
    ]
    return [("Range", answer.range_value), ("RTP-Info", build_rtp_info(info)), *answer.headers]
