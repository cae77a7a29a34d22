"""Who is let in by an RTSP server, and in whose name."""

from collections.abc import Callable
from typing import Protocol as Interface

from axis_nvr.protocols.rtp_delivery import IClientConnection
from axis_nvr.session.server.dialogue import Guard, open_guard
from axis_nvr.wire.rtsp import Request


class IAdmission(Interface):
    """Lets clients in. Who it refuses raises `RequestRefused`."""

    def guard(self, connection: IClientConnection) -> Guard:
        """Return what each RTSP request of a connection is to pass.

        It may note in the connection whose account it is.
        """

    def tunnel(self, request: Request, connection: IClientConnection) -> str:
        """Let in an HTTP request that opens one half of a tunnel.

        :returns: the account, empty for nobody's.
        :raises RequestRefused: it may not pass.
        """


class FixedAdmission:
    """The same rules for every connection, and nobody's name asked.

    :param guard: who may ask over RTSP.
    :param tunnel_check: raises `RequestRefused` for HTTP requests that may not open a tunnel.
    """

    def __init__(
        self,
        guard: Guard = open_guard,
        tunnel_check: Callable[[Request], None] = lambda request: None,
    ) -> None:
        self._guard = guard
        self._tunnel_check = tunnel_check

    def guard(self, connection: IClientConnection) -> Guard:
        """Return the one guard."""
        return self._guard

    def tunnel(self, request: Request, connection: IClientConnection) -> str:
        """Check the request."""
        self._tunnel_check(request)
        return ""
