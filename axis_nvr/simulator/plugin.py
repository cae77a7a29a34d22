"""The virtual camera on the command line: ``twistd -n axis-camera`` and its options."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, cast

from twisted.application.service import MultiService
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.python import usage
from twisted.python.failure import Failure

from axis_nvr.errors import ConfigError
from axis_nvr.protocols.endpoints import cannot_listen
from axis_nvr.protocols.rtp_delivery import MulticastGroup
from axis_nvr.services.command_line import CommandLine, refuse
from axis_nvr.services.foreground import announce
from axis_nvr.session.digest import Credentials
from axis_nvr.session.server.srtp import KeySource
from axis_nvr.simulator.camera import (
    DEFAULT_RTSP_ENDPOINT,
    DEFAULT_SERIAL,
    DEFAULT_SESSION_LIMIT,
    CameraSettings,
    VirtualCamera,
)

#: Sessions at a time at most.
MAX_SESSIONS = 1000
MAX_SEED = 2**63
MAX_PASSWORD_CHARACTERS = 512
#: The highest port of a multicast group; its tracks go to those above it.
MAX_MULTICAST_PORT = 65_000

_TURNS = {"on": True, "off": False}


class Options(CommandLine):
    """What the command line can say."""

    program = "axis-camera"
    synopsis = "[options]"
    longdesc = (
        "An Axis camera in software: a moving test card over RTSP, sound, events, and faults on"
        " command. The guide is docs/guide/virtual-camera.md."
    )
    optParameters = [  # noqa: RUF012 (Twisted's own form)
        ["serial", None, DEFAULT_SERIAL, "Serial number: 12 upper-case hexadecimal digits."],
        ["user", None, "", "User name that clients must know; none: everybody may watch."],
        ["password", None, "", "Password of that user."],
        ["password-file", None, "", "File whose first line is that password."],
        ["sessions", None, DEFAULT_SESSION_LIMIT, "Sessions at a time; 453 beyond."],
        ["audio", None, "off", "on: sound where the URL does not say."],
        ["interface", None, "", "IP address that UDP ports are bound to; none: all."],
        ["multicast", None, "", "Group and even port for multicast, such as 239.192.0.1:50100."],
        ["srtp", None, "off", "Protect media: offered (our key) or demanded (the client's)."],
        ["seed", None, None, "Number that makes faults repeatable."],
    ]
    optFlags = [  # noqa: RUF012
        ["authenticate-over-http", None, "Challenge requests within a tunnel once more."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["rtsp"] = []
        self["http"] = []
        self["control"] = []

    def opt_rtsp(self, endpoint: str) -> None:
        """Endpoint for RTSP, or for rtsps with ssl:; repeatable. [default: tcp:8554]"""  # noqa: D400
        self["rtsp"].append(endpoint)

    def opt_http(self, endpoint: str) -> None:
        """Endpoint of the web server: events over WebSocket, tunnels; repeatable. [default: none]"""  # noqa: D400, E501
        self["http"].append(endpoint)

    def opt_control(self, endpoint: str) -> None:
        """Endpoint for faults and events on command; repeatable. [default: none]"""  # noqa: D400
        self["control"].append(endpoint)

    def postOptions(self) -> None:
        """Check what can be checked, with words for people."""
        try:
            self.settings = self._settings()
        except ConfigError as error:
            raise usage.UsageError(str(error)) from error

    def _settings(self) -> CameraSettings:
        """Return the settings that were given.

        :raises ConfigError: they make no sense.
        """
        if self["audio"] not in _TURNS:
            raise ConfigError(f"--audio: on or off, not {self['audio']!r}")
        password, interface = self._password(), _interface(self["interface"])
        if bool(self["user"]) != bool(password):
            raise ConfigError("--user goes together with --password or --password-file")
        return CameraSettings(
            rtsp=tuple(self["rtsp"]) or (DEFAULT_RTSP_ENDPOINT,),
            http=tuple(self["http"]),
            control=tuple(self["control"]),
            serial=self["serial"].upper(),
            credentials=Credentials(self["user"], password) if password else None,
            session_limit=_number("--sessions", str(self["sessions"]), 1, MAX_SESSIONS),
            audio_by_default=_TURNS[self["audio"]],
            authenticate_over_http=bool(self["authenticate-over-http"]),
            interface=interface,
            multicast=_multicast(self["multicast"], interface),
            srtp=_key_source(self["srtp"]),
            seed=None if self["seed"] is None else _number("--seed", self["seed"], 0, MAX_SEED),
        )

    def _password(self) -> str:
        """Return the password; empty: there is none.

        :raises ConfigError: its file cannot be read, or has none.
        """
        path = self["password-file"]
        if not path:
            return str(self["password"])
        if self["password"]:
            raise ConfigError("--password and --password-file: one of the two")
        try:
            with open(path, encoding="utf-8") as file:
                password = file.readline(MAX_PASSWORD_CHARACTERS).rstrip("\r\n")
        except OSError as error:
            raise ConfigError(f"--password-file: {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"--password-file: {path} is no text in UTF-8") from None
        if not password:
            raise ConfigError(f"--password-file: {path} has no password in its first line")
        return password


def _number(option: str, text: str, lowest: int, highest: int) -> int:
    """Read a whole number.

    :raises ConfigError: it is none, or out of bounds.
    """
    is_number = text.isascii() and text.isdigit()
    if not is_number or not lowest <= int(text) <= highest:
        raise ConfigError(f"{option}: a whole number, {lowest} to {highest}, not {text!r:.80}")
    return int(text)


def _interface(text: str) -> str:
    """Read the address of an interface.

    :raises ConfigError: it is none.
    """
    try:
        return str(ip_address(text)) if text else ""
    except ValueError:
        raise ConfigError(f"--interface: an IP address of this machine, not {text!r:.80}") from None


def _key_source(text: str) -> KeySource | None:
    """Read whose key media is protected by.

    :raises ConfigError: there is no such choice.
    """
    if text == "off":
        return None
    try:
        return KeySource(text)
    except ValueError:
        choices = ", ".join(KeySource)
        raise ConfigError(f"--srtp: off, {choices}, not {text!r}") from None


def _multicast(text: str, interface: str) -> MulticastGroup | None:
    """Read a group and port.

    :raises ConfigError: it is none.
    """
    if not text:
        return None
    address, _, port = text.rpartition(":")
    try:
        is_group = ip_address(address).is_multicast
    except ValueError:
        is_group = False
    is_port = port.isascii() and port.isdigit() and 1024 <= int(port) <= MAX_MULTICAST_PORT
    if not is_group or not is_port or int(port) % 2:
        words = "a multicast address and an even port, such as 239.192.0.1:50100"
        raise ConfigError(f"--multicast: {words}, not {text!r:.80}")
    return MulticastGroup(address, int(port), interface=interface)


class AnnouncedCamera(MultiService):
    """A virtual camera that says on standard output where it listens.

    :param reactor: clock and sockets.
    :param announce: called with each line for people.
    """

    def __init__(
        self, reactor: Any, settings: CameraSettings, announce: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._announce = announce
        self.camera = VirtualCamera(reactor, settings)
        self.camera.setServiceParent(self)

    def startService(self) -> None:
        """Start the camera and tell its addresses.

        :raises SystemExit: with code 1 and one sentence said, if it cannot listen.
        """
        failures: list[Failure] = []
        try:
            self._try_interface()
            super().startService()
        except ConfigError as error:
            refuse(Options.program, error)
        self.camera.listening().addCallbacks(self._listening, failures.append)
        if failures:  # endpoints say at once whether they can listen
            first: Failure = getattr(failures[0].value, "subFailure", failures[0])
            refuse(Options.program, cast(ConfigError, first.value))

    def _try_interface(self) -> None:
        """Find out now, and not when the first client asks for UDP, whether ports can be bound.

        :raises ConfigError: the address is not one of this machine.
        """
        interface = self.camera.settings.interface
        if not interface:
            return
        try:
            port = self._reactor.listenUDP(0, DatagramProtocol(), interface=interface)
        except CannotListenError as error:
            raise cannot_listen("--interface", error) from None
        port.stopListening()

    def _listening(self, lines: list[str]) -> None:
        for line in lines:
            self._announce(f"virtual camera: {line}")


def make_service(
    options: Options, reactor: Any, announce: Callable[[str], None] = announce
) -> AnnouncedCamera:
    """Return the service that the options describe."""
    return AnnouncedCamera(reactor, options.settings, announce)
