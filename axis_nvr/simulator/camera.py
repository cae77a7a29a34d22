"""The virtual camera as a service: endpoints, accounts, clocks, faults on command.

Within a program::

    camera = virtual_camera(reactor)          # a free port on 127.0.0.1
    camera.startService()
    url = camera.rtsp_url(fps=25, resolution="1280x720")
    camera.raise_motion(True)
    camera.raise_fault("drop", rate=0.1, seconds=10)
    await camera.stopService()
"""

import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NoReturn
from urllib.parse import quote

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Site

from axis_nvr.errors import ConfigError
from axis_nvr.protocols.admission import FixedAdmission
from axis_nvr.protocols.endpoints import cannot_listen, make_endpoint
from axis_nvr.protocols.rtp_delivery import MulticastGroup
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.session.digest import Credentials
from axis_nvr.session.server.challenger import Challenger
from axis_nvr.session.server.dialogue import open_guard
from axis_nvr.session.server.guard import DigestGuard, single_user
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.session.server.srtp import KeySource, SrtpGate
from axis_nvr.session.srtp_keys import KeyMaker
from axis_nvr.simulator.control import ControlSurface
from axis_nvr.simulator.event_faults import Flood
from axis_nvr.simulator.events import EventBoard
from axis_nvr.simulator.faults import ActiveFault, FaultBoard
from axis_nvr.simulator.pacer import Pacer
from axis_nvr.simulator.presentation import CameraPresentations
from axis_nvr.simulator.tracks import Camera
from axis_nvr.simulator.web import CameraWeb
from axis_nvr.wire.rtsp import Request

#: Sessions at a time where nothing else is said; a real camera allows about as many.
DEFAULT_SESSION_LIMIT = 20
#: The serial number, which is the MAC, where none is given.
DEFAULT_SERIAL = "ACCC8E000001"
DEFAULT_RTSP_ENDPOINT = "tcp:8554"


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """How a virtual camera is set up.

    :param rtsp: Twisted endpoint descriptions; ``tcp:`` takes RTSP and tunnels in HTTP, ``ssl:``
        the same in TLS.
    :param http: endpoint descriptions of its web server: events over WebSocket, and tunnels.
    :param control: endpoint descriptions of the control surface, none by default.
    :param serial: 12 hexadecimal digits: serial number, MAC and part of the realm.
    :param credentials: what clients must know; None: everybody may watch.
    :param session_limit: sessions at a time; the next SETUP is refused with 453.
    :param audio_by_default: whether there is sound where the URL does not say.
    :param authenticate_over_http: whether requests within a tunnel are challenged again
        (``Network.RTSP.AuthenticateOverHTTP``).
    :param interface: the IP address that UDP ports are bound to, empty for all.
    :param multicast: where streams go for clients that ask for multicast, None: 461.
    :param srtp: protects media, and who brings no proper key gets 463; None: plain RTP.
    :param seed: makes faults repeatable.
    """

    rtsp: tuple[str, ...] = (DEFAULT_RTSP_ENDPOINT,)
    http: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    serial: str = DEFAULT_SERIAL
    credentials: Credentials | None = None
    session_limit: int = DEFAULT_SESSION_LIMIT
    audio_by_default: bool = False
    authenticate_over_http: bool = False
    interface: str = ""
    multicast: MulticastGroup | None = None
    srtp: KeySource | None = None
    seed: int | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        digits = set(self.serial) <= set("0123456789ABCDEF")
        if len(self.serial) != 12 or not digits:
            raise ConfigError(f"serial: 12 upper-case hexadecimal digits, not {self.serial!r}")
        if self.session_limit < 1:
            raise ConfigError("session_limit: at least 1")


class VirtualCamera(Service):
    """A camera in software.

    :param reactor: clock and sockets.
    :param wall_clock: seconds since 1970.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: CameraSettings,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.setName("virtual camera")
        self._wall_clock = wall_clock
        self.settings = settings
        self.faults = FaultBoard(reactor.seconds, Random(settings.seed))
        self.faults.raised = self._fault_raised
        self.events = EventBoard(str(uuid.uuid5(uuid.NAMESPACE_OID, settings.serial)), self.utc_us)
        self._reactor = reactor
        self._ports: list[tuple[str, IListeningPort]] = []
        self._pending: list[Deferred[Any]] = []
        random = Random(settings.seed) if settings.seed is not None else secrets.SystemRandom()
        source = settings.srtp
        self._srtp = None if source is None else SrtpGate(source, KeyMaker(0, self.utc_us))
        pacer = Pacer(reactor)
        self._flood = Flood(self.faults, pacer, self.events)
        camera = Camera(
            pacer,
            self.faults,
            self.events,
            self.utc_us,
            random,
            settings.serial,
            self._srtp,
        )
        self.presentations = CameraPresentations(camera, audio_by_default=settings.audio_by_default)
        self.server = self._make_server(reactor)
        realm = f"AXIS_{settings.serial}"
        self.web = CameraWeb(reactor, self.server, self.events.bus, settings.credentials, realm)

    def _make_server(self, reactor: Any) -> RtspServerFactory:
        settings = self.settings
        guard: Any = open_guard
        tunnel_check: Callable[[Request], None] = _allow
        self._challenge = lambda: RequestRefused(401)
        if settings.credentials is not None:
            realm, key = f"AXIS_{settings.serial}", secrets.token_bytes(32)
            secret_of = single_user(settings.credentials, realm)
            guard = DigestGuard(Challenger(realm, key), secret_of)
            over_http = DigestGuard(Challenger(realm, key, qop="auth"), secret_of)
            tunnel_check = lambda request: over_http(request, None, reactor.seconds())  # noqa: E731
            self._challenge = lambda: guard.refusal(reactor.seconds())
        return RtspServerFactory(
            reactor,
            self.presentations,
            admission=FixedAdmission(guard, tunnel_check),
            inner_guard=guard if settings.authenticate_over_http else open_guard,
            intercept=self._intercept,
            session_limit=settings.session_limit,
            interface=settings.interface,
            multicast=settings.multicast,
            srtp=self._srtp,
        )

    # The service.

    def startService(self) -> None:
        """Listen; `listening` tells when all endpoints do."""
        super().startService()
        control = Site(ControlSurface(self).app.resource())
        control.noisy = False
        self._pending = [
            *(self._listen("rtsp", text, self.server) for text in self.settings.rtsp),
            *(self._listen("http", text, self.web.factory) for text in self.settings.http),
            *(self._listen("control", text, control) for text in self.settings.control),
        ]

    def _listen(self, kind: str, description: str, factory: Any) -> "Deferred[None]":
        endpoint = make_endpoint(self._reactor, kind, description)

        def listening(port: IListeningPort) -> None:
            self._ports.append((f"{kind}s" if description.startswith("ssl") else kind, port))

        def failed(failure: Failure) -> NoReturn:
            raise cannot_listen(kind, failure.value)

        done: Deferred[None] = endpoint.listen(factory).addCallbacks(listening, failed)
        return done

    def listening(self) -> "Deferred[list[str]]":
        """Wait until all endpoints listen.

        :returns: fires with one line for each address, or fails with `CannotListen`.
            Cancelling it does nothing to the service.
        """
        waiting = DeferredList(self._pending, fireOnOneErrback=True, consumeErrors=True)
        return waiting.addCallback(lambda _: self.addresses)

    async def _stop(self) -> None:
        self.server.close()
        self.web.disconnect()
        ports, self._ports = self._ports, []
        for _, port in ports:
            stopping = port.stopListening()
            if stopping is not None:
                await stopping

    def stopService(self) -> "Deferred[None]":
        """End all connections and give the ports back."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    # What it tells.

    @property
    def addresses(self) -> list[str]:
        """One line for each address that it listens at."""
        lines = []
        for kind, port in self._ports:
            host, number = _host_and_port(port.getHost())
            if kind.startswith("rtsp"):
                lines.append(f"{kind}://{host}:{number}/axis-media/media.amp")
            elif kind.startswith("http"):
                lines.append(f"{kind}://{host}:{number}/vapix/ws-data-stream?sources=events")
            else:
                lines.append(f"{kind.replace('control', 'http')}://{host}:{number}/control")
        return lines

    def rtsp_url(self, *, with_credentials: bool = False, **arguments: object) -> str:
        """Return the URL of the live stream.

        :param with_credentials: whether user and password stand in it.
        :param arguments: of the URL, such as ``fps=25``.
        """
        base = next(line for line in self.addresses if line.startswith("rtsp"))
        query = "&".join(f"{name}={quote(str(value))}" for name, value in arguments.items())
        if with_credentials and self.settings.credentials is not None:
            user = quote(self.settings.credentials.username, safe="")
            password = quote(self.settings.credentials.password, safe="")
            base = base.replace("://", f"://{user}:{password}@", 1)
        return f"{base}?{query}" if query else base

    @property
    def motion(self) -> bool:
        """Whether motion is going on."""
        return self.events.motion

    def utc_us(self) -> int:
        """Return the camera's own UTC, microseconds since 1970."""
        jump = self.faults.current("jump-clock")
        offset = 0.0
        if jump is not None and jump.text("clock") in ("ntp", "both"):
            offset = jump.number("by")
        return round((self._wall_clock() + offset) * 1_000_000)

    def clients(self) -> list[dict[str, object]]:
        """Tell what is sent to whom, for people."""
        return [
            {
                "url": presentation.url.url,
                "tracks": {
                    track.kind: {"sent": track.sent, "skipped": track.skipped}
                    for track in presentation.tracks
                    if track.is_set_up
                },
            }
            for presentation in self.presentations.open_ones
        ]

    # What it is told.

    def raise_motion(self, active: bool = True) -> None:
        """Let motion begin or end, and tell all who listen to events."""
        self.events.raise_motion(active)

    def raise_fault(
        self, name: str, parameters: Mapping[str, object] | None = None, **more: object
    ) -> ActiveFault:
        """Let something go wrong, see `axis_nvr.simulator.faults.FAULTS`.

        :raises FaultError: there is no such fault or parameter.
        """
        fault = self.faults.raise_fault(name, {**(parameters or {}), **more})
        self.log.info("fault {fault} raised: {parameters}", fault=name, parameters=fault.parameters)
        return fault

    def clear_fault(self, name: str = "") -> None:
        """End a fault, or all of them.

        :raises FaultError: there is no such fault.
        """
        if name:
            self.faults.clear(name)
        else:
            self.faults.clear_all()

    def _fault_raised(self, fault: ActiveFault) -> None:
        """Begin what does not wait for a packet: a flood, the end of all connections."""
        self._flood.raised(fault)
        if fault.name != "disconnect":
            return
        self.faults.happens("disconnect")
        self.faults.clear("disconnect")
        self.server.refusing_until = self._reactor.seconds() + fault.number("refuse")
        for connection in self.server.connections:
            connection.abort()
        self.web.disconnect()

    def _intercept(self, request: Request) -> None:
        """Refuse a request where that is the fault."""
        self.faults.refuse(request, self._challenge)


def _allow(request: Request) -> None:
    """Let everybody open a tunnel."""


def _host_and_port(address: IAddress) -> tuple[str, int]:
    """Return how clients name an address: this host where it is bound to all."""
    host, number = str(getattr(address, "host", "")), int(getattr(address, "port", 0))
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 (compared, not bound)
        host = "127.0.0.1"
    return (f"[{host}]" if ":" in host else host), number


def virtual_camera(
    reactor: Any,
    *,
    rtsp: str = "tcp:0:interface=127.0.0.1",
    http: str | None = None,
    control: str | None = None,
    username: str = "",
    password: str = "",
    **settings: Any,
) -> VirtualCamera:
    """Make a virtual camera that only this machine can see; start it with ``startService``.

    :param rtsp: endpoint description.
    :param http: endpoint description of its web server, None for none.
    :param control: endpoint description of the control surface, None for none.
    :param username: with `password` what clients must know; empty: everybody may watch.
    :param settings: more of `CameraSettings`.
    """
    settings.setdefault("interface", "127.0.0.1")
    return VirtualCamera(
        reactor,
        CameraSettings(
            rtsp=(rtsp,),
            http=() if http is None else (http,),
            control=() if control is None else (control,),
            credentials=Credentials(username, password) if username else None,
            **settings,
        ),
    )
