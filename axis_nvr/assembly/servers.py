"""All that clients connect to: HTTP, RTSP, WebSockets; one gatekeeper for them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from twisted.internet.interfaces import IListeningPort

from axis_nvr.assembly.events import Events
from axis_nvr.assembly.foundation import Foundation
from axis_nvr.assembly.listeners import (
    Announce,
    make_gatekeeper,
    make_web_listeners,
    make_web_site,
)
from axis_nvr.assembly.rtsp import make_rtsp
from axis_nvr.assembly.websockets import make_websockets
from axis_nvr.protocols.shared_port import SharedPortFactory
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.rtsp_service import RtspService
from axis_nvr.services.stream_registry import StreamRegistry
from axis_nvr.vapix.api import Services, endpoints
from axis_nvr.vapix.listener import Listener
from axis_nvr.vapix.websocket.service import WebSockets


class Servers(NamedTuple):
    """What clients connect to.

    :param web: serves HTTP and HTTPS, and tunnels of RTSP within.
    :param paths: of all that is served over HTTP.
    """

    web: Sequence[Listener]
    websockets: WebSockets
    rtsp: RtspService
    paths: Sequence[str]

    @property
    def listeners(self) -> list[Listener]:
        """All that listens."""
        return [*self.web, *(each for each in self.rtsp if isinstance(each, Listener))]

    def ports(self) -> dict[str, IListeningPort | None]:
        """Give the ports by the schemes of their URLs; None: it does not listen by now."""
        return {each.scheme: each.port for each in self.listeners}

    def port(self, scheme: str) -> int | None:
        """Tell at which port a scheme is served; None: at none."""
        port = self.ports().get(scheme)
        if port is None:
            return None
        host: Any = port.getHost()
        return int(host.port)


def make_servers(
    base: Foundation,
    services: Services,
    registry: StreamRegistry[CameraStream],
    own_events: Events,
    announce: Announce,
) -> Servers:
    """Put the servers together.

    :param own_events: where they tell that somebody watches.
    :raises ConfigError: one cannot listen as configured.
    """
    gatekeeper = make_gatekeeper(services)
    rtsp = make_rtsp(base, services, gatekeeper, registry, own_events, announce)
    websockets = make_websockets(base, gatekeeper.tokens, rtsp.server)
    served = endpoints(services, websockets.endpoints)
    site = SharedPortFactory(make_web_site(gatekeeper, served), rtsp.server)
    web = make_web_listeners(base, site, announce)
    return Servers(web, websockets, rtsp, [endpoint.path for endpoint in served])
