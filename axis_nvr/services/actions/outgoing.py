"""Connections to the hosts that messages are sent to."""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from axis_nvr.errors import ConfigError
from axis_nvr.protocols.address import CertificateValidation
from axis_nvr.protocols.tls import ServerTlsOptions
from axis_nvr.services.actions.deliveries import DeliveryFailed

#: How long a connection may take, in seconds.
CONNECT_SECONDS = 10.0


@implementer(IStreamClientEndpoint)
class Way:
    """Connects as another endpoint does, without a word in the log for each connection.

    :param code_point: marks what is sent (RFC 2474), if it is not 0. The mark is set once the
        connection is there: what opened it went without.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, code_point: int) -> None:
        self._endpoint = endpoint
        self._code_point = code_point

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803
        """Connect."""
        factory: Any = protocolFactory
        while factory is not None:  # TLS wraps the factory of what is spoken within
            factory.noisy = False
            factory = getattr(factory, "wrappedFactory", None)
        connecting: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connecting.addCallback(self._mark) if self._code_point else connecting

    def _mark(self, protocol: Any) -> IProtocol:
        handle = protocol.transport.getHandle()
        family, marks = (
            (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
            if handle.family == socket.AF_INET6
            else (socket.IPPROTO_IP, socket.IP_TOS)
        )
        with suppress(OSError):  # a mark that the network would not look at either
            handle.setsockopt(family, marks, self._code_point << 2)
        result: IProtocol = protocol
        return result


class Outgoing:
    """Opens connections.

    :param trusted: gives the CA certificates that clients have installed, PEM.
    """

    def __init__(self, reactor: Any, trusted: Callable[[], bytes]) -> None:
        self.reactor = reactor
        self._trusted = trusted

    def endpoint(self, host: str, port: int, code_point: int = 0) -> IStreamClientEndpoint:
        """Give what connects to a host by TCP.

        :param code_point: of Differentiated Services; 0 for none.
        """
        plain = HostnameEndpoint(self.reactor, host.encode("idna"), port, timeout=CONNECT_SECONDS)
        return Way(plain, code_point)

    def tls(self, host: str, *, validate: bool) -> ServerTlsOptions:
        """Give the TLS side of a connection.

        :param validate: whether the certificate must be trusted and be for `host`.
        :raises DeliveryFailed: an installed CA certificate cannot be read.
        """
        validation = CertificateValidation.STANDARD if validate else CertificateValidation.OFF
        try:
            return ServerTlsOptions(host, validation, self._trusted())
        except ConfigError as error:
            raise DeliveryFailed(str(error)) from error

    def over_tls(
        self, endpoint: IStreamClientEndpoint, host: str, *, validate: bool
    ) -> IStreamClientEndpoint:
        """Give what connects by TLS over another endpoint; see `tls`."""
        wrapped: IStreamClientEndpoint = wrapClientTLS(self.tls(host, validate=validate), endpoint)
        return wrapped
