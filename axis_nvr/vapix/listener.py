"""A server that listens from start to stop, and says where."""

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.protocols.endpoints import cannot_listen


def with_certificate(description: str, pem_file: str) -> str:
    """Complete the description of a TLS endpoint that names no private key."""
    if not description.startswith("ssl:") or "privateKey=" in description:
        return description
    quoted = quoteStringArgument(pem_file)
    return f"{description}:privateKey={quoted}:certKey={quoted}"


class Listener(Service):
    """Listens, and stops.

    :param scheme: of the URL that is announced, such as ``http``.
    :param key: the configuration key, for messages.
    :param announce: called with one line when it listens.
    :ivar port: None while it does not listen.
    """

    log = Logger()

    def __init__(
        self,
        scheme: str,
        key: str,
        endpoint: IStreamServerEndpoint,
        factory: IProtocolFactory,
        announce: Callable[[str], None],
    ) -> None:
        self.scheme = scheme
        self._key = key
        self._endpoint = endpoint
        self._factory = factory
        self._announce = announce
        self._listening: Deferred[IListeningPort] | None = None
        self.port: IListeningPort | None = None

    def startService(self) -> None:
        """Listen.

        :raises CannotListen: the address is taken or not ours.
        """
        super().startService()
        failures: list[Failure] = []
        self._listening = self._endpoint.listen(self._factory)
        self._listening.addCallbacks(self._listens, failures.append)
        if failures:
            raise cannot_listen(self._key, failures[0].value)

    def stopService(self) -> "Deferred[None] | None":
        """Listen no more; connections that are open end by themselves."""
        super().stopService()
        port, self.port = self.port, None
        if port is None:
            return None
        stopped: Deferred[None] | None = port.stopListening()
        return stopped

    def _listens(self, port: IListeningPort) -> None:
        self.port = port
        self._announce(f"listening on {describe_address(self.scheme, port.getHost())}")


def describe_address(scheme: str, address: object) -> str:
    """Write an address as people open it."""
    if isinstance(address, UNIXAddress):
        name = address.name
        return f"{scheme} at {name.decode() if isinstance(name, bytes) else name}"
    if not isinstance(address, IPv4Address | IPv6Address):
        return f"{scheme} at {address}"
    host = f"[{address.host}]" if ":" in address.host else address.host
    everywhere = address.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    place = "localhost" if everywhere else host
    return f"{scheme}://{place}:{address.port}/" + (" (every interface)" if everywhere else "")
