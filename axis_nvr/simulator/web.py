"""What a virtual camera serves at its web server: events over WebSocket, and tunnels of RTSP.

::

    GET /axis-cgi/wssession.cgi                   a token, for who knows the account
    GET /vapix/ws-data-stream?sources=events      events, with a token or the account
"""

from typing import Any

from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.protocols.shared_port import SharedPortFactory
from axis_nvr.services.accounts import Account, Role
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.gatekeeper import Gatekeeper, Knock
from axis_nvr.session.digest import Credentials, secret_hash
from axis_nvr.vapix.call import Reply
from axis_nvr.vapix.door import Admitted, Door
from axis_nvr.vapix.server import HttpServer
from axis_nvr.vapix.websocket.entry import TokenCgis
from axis_nvr.vapix.websocket.events import EventStreams


class _OneAccount:
    """The accounts of a camera that has one.

    :param credentials: None: everybody may watch.
    """

    needs_setup = False

    def __init__(self, credentials: Credentials | None, realm: str) -> None:
        self.realm = realm
        name = credentials.username if credentials is not None else ""
        secret = secret_hash(credentials, realm) if credentials is not None else ""
        self.all = {name: Account(name, Role.VIEWER, secret=secret)}

    def secret_of(self, name: str) -> str | None:
        """Return what proves that somebody knows the password."""
        account = self.all.get(name)
        return account.secret if account is not None else None


class _NoAudit:
    """Writes nothing down."""

    def note(self, *words: str) -> None:
        """Do nothing."""


class _OpenDoor(Door):
    """Lets everybody in."""

    def admit(self, knock: Knock, role: Role | None, *, before_setup: bool) -> Admitted | Reply:
        """Let a request in."""
        return Admitted(Account("", Role.VIEWER))


class CameraWeb:
    """The web server of a virtual camera.

    :param server: takes the tunnels.
    :param bus: its events.
    :param credentials: what clients must know; None: everybody may watch.
    :ivar factory: for TCP or TLS.
    """

    def __init__(
        self,
        reactor: Any,
        server: RtspServerFactory,
        bus: EventBus,
        credentials: Credentials | None,
        realm: str,
    ) -> None:
        accounts: Any = _OneAccount(credentials, realm)
        audit: Any = _NoAudit()
        gatekeeper = Gatekeeper(accounts, audit, reactor.seconds)
        self._streams = EventStreams(bus, gatekeeper.tokens)
        door = Door(gatekeeper) if credentials is not None else _OpenDoor(gatekeeper)
        served = [self._streams.endpoint(), *TokenCgis(gatekeeper.tokens).endpoints()]
        self.factory = SharedPortFactory(HttpServer(door, served).site(), server)

    @property
    def listeners(self) -> int:
        """How many listen to events over WebSocket."""
        return self._streams.count

    def disconnect(self) -> None:
        """End all event streams."""
        self._streams.close()
