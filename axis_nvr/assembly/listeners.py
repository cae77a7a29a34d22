"""The servers that clients connect to."""

import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator

from axis_nvr.assembly.foundation import Foundation
from axis_nvr.config import NONE
from axis_nvr.services.certificate import own_certificate
from axis_nvr.services.lockout import Lockout
from axis_nvr.vapix.api import Services
from axis_nvr.vapix.bounded_site import BoundedSite
from axis_nvr.vapix.call import Endpoint
from axis_nvr.vapix.door import Door
from axis_nvr.vapix.listener import Listener, make_endpoint, with_certificate
from axis_nvr.vapix.server import HttpServer

#: What writes a line for people.
Announce = Callable[[str], None]


def make_site(services: Services, served: Iterable[Endpoint]) -> BoundedSite:
    """Make what answers HTTP."""
    key = secrets.token_bytes(32)
    door = Door(services.accounts, services.audit, Lockout(), key, time.monotonic)
    return HttpServer(door, served).site()


def make_listeners(base: Foundation, site: BoundedSite, announce: Announce) -> Iterator[Listener]:
    """Make the servers that are not switched off. For RTSP nothing listens yet."""
    config = base.config
    for scheme, description in (("http", config.http), ("https", config.https)):
        if description == NONE:
            continue
        if scheme == "https":
            names = [socket.gethostname(), "localhost", "127.0.0.1", "::1"]
            own = own_certificate(base.state, base.serial, names)
            description = with_certificate(description, str(own))
        endpoint = make_endpoint(base.reactor, scheme, description)
        yield Listener(scheme, scheme, endpoint, site, announce)
