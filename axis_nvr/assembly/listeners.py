"""The servers that clients connect to."""

import socket
import time
from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IProtocolFactory

from axis_nvr.assembly.foundation import Foundation
from axis_nvr.config import NONE
from axis_nvr.protocols.endpoints import make_endpoint
from axis_nvr.services.certificate import own_certificate
from axis_nvr.services.gatekeeper import Gatekeeper
from axis_nvr.vapix.api import Services
from axis_nvr.vapix.bounded_site import BoundedSite
from axis_nvr.vapix.call import Endpoint
from axis_nvr.vapix.door import Door
from axis_nvr.vapix.listener import Listener, with_certificate
from axis_nvr.vapix.server import HttpServer

#: What writes a line for people.
Announce = Callable[[str], None]


def make_gatekeeper(services: Services) -> Gatekeeper:
    """Make what all who come in pass, whatever they speak."""
    return Gatekeeper(services.accounts, services.audit, time.monotonic)


def make_web_site(gatekeeper: Gatekeeper, served: Iterable[Endpoint]) -> BoundedSite:
    """Make what answers HTTP."""
    return HttpServer(Door(gatekeeper), served).site()


def make_web_listeners(
    base: Foundation, site: IProtocolFactory, announce: Announce
) -> list[Listener]:
    """Make the web servers that are not switched off."""
    ports = (("http", base.config.http), ("https", base.config.https))
    return [
        make_listener(base, scheme, description, site, announce)
        for scheme, description in ports
        if description != NONE
    ]


def make_listener(
    base: Foundation,
    scheme: str,
    description: str,
    factory: IProtocolFactory,
    announce: Announce,
) -> Listener:
    """Make one server; in TLS with a certificate of our own if none is named.

    :param scheme: of the URL, and the configuration key: one with an ``s`` at its end is in TLS.
    """
    if scheme.endswith("s"):
        names = [socket.gethostname(), "localhost", "127.0.0.1", "::1"]
        own = own_certificate(base.state, base.serial, names)
        description = with_certificate(description, str(own))
    endpoint = make_endpoint(base.reactor, scheme, description)
    return Listener(scheme, scheme, endpoint, factory, announce)
