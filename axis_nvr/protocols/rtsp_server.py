"""The RTSP server on sockets: connections, tunnels, and the sessions of both.

One port takes RTSP, interleaved media and RTSP through HTTP; the first bytes tell which. Behind a
TLS endpoint the same factory serves ``rtsps`` and tunnels in HTTPS. What is served is behind
`axis_nvr.protocols.presentation.IPresentations`.

A session whose packets travel in a connection ends with it; one with datagrams lives on until its
client is silent for a minute, and may be told more from any connection.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolNegotiationFactory
from twisted.internet.protocol import ServerFactory
from zope.interface import implementer

from axis_nvr.protocols.admission import FixedAdmission, IAdmission
from axis_nvr.protocols.presentation import IPresentations
from axis_nvr.protocols.rtp_delivery import InterleavedDelivery, MulticastGroup, UdpPorts
from axis_nvr.protocols.rtsp_connection import RtspServerProtocol
from axis_nvr.protocols.rtsp_requests import ClientSession, Played, RequestAnswerer
from axis_nvr.protocols.shared_groups import IGroups
from axis_nvr.session.server.dialogue import Guard, RtspServer, open_guard
from axis_nvr.session.server.request_reader import InterleavedFrame
from axis_nvr.session.server.sessions import (
    MAX_SESSIONS,
    SESSION_ID_CHARACTERS,
    RequestRefused,
    SessionTable,
)
from axis_nvr.session.server.srtp import SrtpGate
from axis_nvr.wire.rtsp import Request

#: Connections of one server at a time, in all and from one address; those beyond are closed at
#: once.
MAX_CONNECTIONS = 1024
MAX_ADDRESS_CONNECTIONS = 768
#: Seconds that a client may take nothing, and so cannot be heard, before it counts as silent: one
#: that fetches a recording sets its pace by reading.
MAX_UNREAD_SECONDS = 300
#: Seconds between two looks at what has timed out, at least.
MIN_SWEEP_SECONDS = 0.1


@implementer(IProtocolNegotiationFactory)
class RtspServerFactory(ServerFactory):
    """The server: its connections, its sessions, and what times out.

    :param reactor: clock, and where UDP ports are opened.
    :param presentations: what there is to see.
    :param admission: who may ask for it, over RTSP and through tunnels.
    :param inner_guard: who may ask within a tunnel; open, since HTTP has asked already
        (``Network.RTSP.AuthenticateOverHTTP=no``).
    :param intercept: sees each request first and may refuse it.
    :param interface: the IP address that UDP ports are bound to, empty for all.
    :param multicast: where tracks go for clients that ask for multicast; None: they may not.
    :param groups: what clients may have by multicast from the presentations themselves.
    :param options: feature tags that a ``Require`` header may name.
    :param srtp: has the keys, if media is to be protected; None: it goes as plain RTP.
    :param played: called with what a client begins to play, once for each session.
    :param paced: whether datagrams go out in small bursts, where frames may be large.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any,
        presentations: IPresentations,
        *,
        admission: IAdmission | None = None,
        inner_guard: Guard = open_guard,
        intercept: Callable[[Request], None] = lambda request: None,
        session_limit: int = MAX_SESSIONS,
        interface: str = "",
        multicast: MulticastGroup | None = None,
        groups: IGroups | None = None,
        options: frozenset[str] = frozenset(),
        srtp: SrtpGate | None = None,
        played: Played = lambda asked, connection: None,
        paced: bool = False,
    ) -> None:
        self.clock = reactor
        self.admission = FixedAdmission() if admission is None else admission
        self.inner_guard = inner_guard
        self.sessions = SessionTable(
            lambda: secrets.token_hex(SESSION_ID_CHARACTERS // 2), limit=session_limit
        )
        to_groups = multicast is not None or groups is not None
        self.udp = UdpPorts(reactor, interface, multicast=to_groups, paced=paced)
        self.answerer = RequestAnswerer(
            reactor,
            presentations,
            self.sessions,
            self.udp,
            multicast,
            srtp,
            played=played,
            groups=groups,
        )
        #: Connections are closed at once until then, in seconds of the reactor.
        self.refusing_until = 0.0
        self._intercept = intercept
        self._options = options
        self._connections: dict[RtspServerProtocol, str] = {}
        self._addresses: Counter[str] = Counter()
        self._tunnels: dict[str, RtspServerProtocol] = {}
        self._timer: IDelayedCall | None = None

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802
        """Name what may be spoken within TLS, beside RTSP, which has no name there: tunnels."""
        return [b"http/1.1"]

    def buildProtocol(self, addr: IAddress | None) -> RtspServerProtocol | None:
        """Take one more client, if there is room."""
        if self.is_full(getattr(addr, "host", "")):
            return None
        return RtspServerProtocol(self)

    def build_admitted(self, address: str, account: str) -> RtspServerProtocol | None:
        """Take one more client whom somebody else has let in, such as the HTTP server.

        :returns: a protocol that speaks RTSP from its first byte; None: there is no room.
        """
        return None if self.is_full(address) else RtspServerProtocol(self, account)

    def is_full(self, address: str) -> bool:
        """Tell whether one more connection from an address would be one too many."""
        return (
            len(self._connections) >= MAX_CONNECTIONS
            or self._addresses[address] >= MAX_ADDRESS_CONNECTIONS
            or self.clock.seconds() < self.refusing_until
        )

    def stopFactory(self) -> None:  # noqa: N802
        """End everything: no port listens any more."""
        self.close()

    def close(self) -> None:
        """End all sessions and connections, and give the UDP ports back."""
        for session in self.sessions:
            self.sessions.remove(session)
            self.answerer.end(session)
        for connection in list(self._connections):
            connection.abort()
        self.udp.close()
        self._stop_timer()

    @property
    def connections(self) -> list[RtspServerProtocol]:
        """The connections there are."""
        return list(self._connections)

    def dialogue(self, guard: Guard) -> RtspServer:
        """Return the dialogue for a new connection."""
        return RtspServer(
            self.sessions, guard=guard, intercept=self._intercept, options=self._options
        )

    def connected(self, connection: RtspServerProtocol) -> None:
        """Count a connection in."""
        host = connection.client_host
        self._connections[connection] = host
        self._addresses[host] += 1
        self._schedule()

    def disconnected(self, connection: RtspServerProtocol) -> None:
        """Count a connection out, and end the sessions that it carries."""
        host = self._connections.pop(connection, None)
        if host is not None:
            self._addresses[host] -= 1
            if not self._addresses[host]:
                del self._addresses[host]
        if self._tunnels.get(connection.cookie) is connection:
            del self._tunnels[connection.cookie]
        for session in list(connection.carried):
            self.sessions.remove(session)
            self.answerer.end(session)
        if not self._connections and not len(self.sessions):
            self._stop_timer()

    def add_tunnel(self, cookie: str, connection: RtspServerProtocol) -> None:
        """Remember the downward half of a tunnel.

        :raises RequestRefused: there is one of this name.
        """
        if cookie in self._tunnels:
            raise RequestRefused(400, "Bad Request: x-sessioncookie in use")
        self._tunnels[cookie] = connection

    def tunnel(self, cookie: str, account: str) -> RtspServerProtocol:
        """Find the downward half of a tunnel.

        :param account: who asks; nobody may speak in the tunnel of another.
        :raises RequestRefused: there is none of this name.
        """
        down = self._tunnels.get(cookie)
        if down is None or down.account != account:
            raise RequestRefused(404)
        return down

    def writable(self, connection: RtspServerProtocol) -> None:
        """Let the presentations go on that a slow client held up."""
        for client in list(connection.carried.values()):
            client.presentation.writable()

    def frame_received(self, connection: RtspServerProtocol, frame: InterleavedFrame) -> None:
        """Take a frame of a client's: a sign of life, and mostly a receiver report."""
        for session, client in list(connection.carried.items()):
            session.last_seen = self.clock.seconds()
            for track, delivery in client.deliveries.items():
                if isinstance(delivery, InterleavedDelivery) and (
                    delivery.channels[1] == frame.channel
                ):
                    client.presentation.receiver_report(track, frame.payload)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        """Look again when the first session or connection may have timed out."""
        dues = [connection.due for connection in self._connections]
        if (due := self.sessions.next_timeout()) is not None:
            dues.append(due)
        if self._timer is None and dues:
            delay = max(MIN_SWEEP_SECONDS, min(dues) - self.clock.seconds())
            self._timer = self.clock.callLater(delay, self._time_out)

    def _time_out(self) -> None:
        """End the sessions and connections that are silent for too long."""
        self._timer = None
        now = self.clock.seconds()
        for connection in self._connections:
            since = connection.unread_since
            if since is not None and now - since < MAX_UNREAD_SECONDS:
                for session in connection.carried:
                    session.last_seen = now
        for session in self.sessions.expire(now):
            client = session.application
            self.answerer.end(session)
            if isinstance(client, ClientSession) and client.connection is not None:
                client.connection.abort()
        busy = {
            session.application.connection
            for session in self.sessions
            if isinstance(session.application, ClientSession)
        }
        for connection in list(self._connections):
            if connection.due <= now and connection.carrier not in busy:
                connection.abort()
        self._schedule()
