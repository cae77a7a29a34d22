"""The byte channels to a camera: one TCP connection, in TLS or not, or the two of an HTTP tunnel.

Whoever owns a channel writes RTSP and interleaved frames and is handed what comes back; how they
travel it need not know. All channels read on ticks once told to `rest`.
"""

from typing import Any
from typing import Protocol as Interface

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import ConfigError, NvrError
from axis_nvr.protocols.address import ENCRYPTED, CameraAddress
from axis_nvr.protocols.tick import TickedConnection, TickReader
from axis_nvr.protocols.tls import CameraTlsOptions

#: How long one address of a camera may take to accept a connection, in seconds.
CONNECT_SECONDS = 10.0
#: How long an orderly end may take before the connection is cut, in seconds.
CLOSE_SECONDS = 2.0


class IChannelOwner(Interface):
    """Takes what comes through a channel."""

    def received(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""

    def channel_lost(self, reason: Failure) -> None:
        """The channel is gone; called once, and nothing comes after it."""


class IChannel(Interface):
    """Carries bytes to a camera and back."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def rest(self) -> None:
        """Read on ticks from now on."""

    def set_urgent(self, urgent: bool) -> None:
        """Read at once what comes, or on ticks again."""

    def read_now(self) -> None:
        """Take what has come since the last tick."""

    def pause(self) -> None:
        """Read nothing until `resume`."""

    def resume(self) -> None:
        """Read again."""

    def close(self) -> None:
        """End in an orderly way; the owner is told when it is done."""

    def abort(self) -> None:
        """End at once; the owner is told."""

    @property
    def hosts(self) -> tuple[str, str]:
        """The IP addresses of both ends: ours and the camera's."""


class Connection(Protocol):
    """One TCP connection to a camera, below TLS or not.

    :param owner: takes what comes.
    :param ticker: reads it when it rests.
    :param reactor: times its end.
    """

    log = Logger()

    def __init__(self, owner: IChannelOwner, ticker: TickReader, reactor: Any) -> None:
        self._owner: IChannelOwner | None = owner
        self._ticker = ticker
        self._reactor = reactor
        self._reading: TickedConnection | None = None
        self._cut: Any = None

    def connectionMade(self) -> None:
        """Take the connection over from Twisted."""
        transport: Any = self.transport
        lower = getattr(transport, "transport", None)  # of Twisted's TLS layer
        if lower is None:
            self._reading = TickedConnection(transport, self, self._ticker)
        else:
            self._reading = TickedConnection(lower, transport, self._ticker)
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)

    def dataReceived(self, data: bytes) -> None:
        """Hand on what came; whatever that raises ends this connection and no other."""
        assert self._reading is not None
        self._reading.count(len(data))
        if self._owner is None:
            return
        try:
            self._owner.received(data)
        except NvrError:
            self._fail(Failure())
        except Exception:  # the outermost frame of this connection
            failure = Failure()
            self.log.failure("while handling what a camera sent", failure)
            self._fail(failure)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the owner, unless it knows."""
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
        if self._reading is not None:
            self._reading.connection_lost()
        self._tell(reason)

    def _fail(self, reason: Failure) -> None:
        """End at once, for a reason of our own."""
        self._tell(reason)
        self.abort()

    def _tell(self, reason: Failure) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.channel_lost(reason)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        assert self.transport is not None
        self.transport.write(data)

    def rest(self) -> None:
        """Read on ticks from now on."""
        assert self._reading is not None
        self._reading.rest()

    def set_urgent(self, urgent: bool) -> None:
        """Read at once what comes, or on ticks again."""
        assert self._reading is not None
        self._reading.set_urgent(urgent)

    def read_now(self) -> None:
        """Take what has come since the last tick."""
        assert self._reading is not None
        self._reading.read_now()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        assert self._reading is not None
        self._reading.pause()

    def resume(self) -> None:
        """Read again."""
        assert self._reading is not None
        self._reading.resume()

    def close(self) -> None:
        """End in an orderly way, and after `CLOSE_SECONDS` in any."""
        if self._cut is None and self.connected:
            assert self._reading is not None
            self._reading.release()
            self._cut = self._reactor.callLater(CLOSE_SECONDS, self._cut_off)
            transport: Any = self.transport
            transport.loseConnection()

    def _cut_off(self) -> None:
        self._cut = None
        self.abort()

    def abort(self) -> None:
        """End at once."""
        if self.connected:
            assert self._reading is not None
            self._reading.connection_lost()
            transport: Any = self.transport
            transport.abortConnection()

    @property
    def hosts(self) -> tuple[str, str]:
        """The IP addresses of both ends: ours and the camera's."""
        transport: Any = self.transport
        return transport.getHost().host, transport.getPeer().host


def make_endpoint(reactor: Any, address: CameraAddress) -> IStreamClientEndpoint:
    """Make what connects to a camera, in TLS if its protocol says so.

    :raises ConfigError: the address cannot be used as it is.
    """
    address.check()
    endpoint = HostnameEndpoint(reactor, address.host, address.port, timeout=CONNECT_SECONDS)
    if address.protocol in ENCRYPTED:
        options = CameraTlsOptions(address.host, address.validation, address.ca)
        return wrapClientTLS(options, endpoint)
    return endpoint


async def connect(
    reactor: Any, address: CameraAddress, ticker: TickReader, owner: IChannelOwner
) -> Connection:
    """Open one TCP connection to a camera.

    Cancelled, it stops connecting.

    :raises ConfigError: the address cannot be used as it is.
    """
    endpoint = make_endpoint(reactor, address)
    factory = Factory.forProtocol(lambda: Connection(owner, ticker, reactor))
    factory.noisy = False
    try:
        connection = await endpoint.connect(factory)
    except ValueError:  # how Twisted says that a host name breaks the rules of DNS
        raise ConfigError(f"{address.host!r} is no host name")
    assert isinstance(connection, Connection)
    return connection
