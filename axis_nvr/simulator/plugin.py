"""The virtual camera on the command line: ``twistd -n axis-camera`` and its options."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.python import usage
from twisted.python.failure import Failure

from axis_nvr.errors import ConfigError
from axis_nvr.protocols.rtp_delivery import MulticastGroup
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

_TURNS = {"on": True, "off": False}


class Options(usage.Options):
    """What the command line can say."""

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
        ["sessions", None, DEFAULT_SESSION_LIMIT, "Sessions at a time; 453 beyond.", int],
        ["audio", None, "off", "on: sound where the URL does not say."],
        ["interface", None, "", "IP address that UDP ports are bound to; none: all."],
        ["multicast", None, "", "Group and even port for multicast, such as 239.192.0.1:50100."],
        ["srtp", None, "off", "Protect media: offered (our key) or demanded (the client's)."],
        ["seed", None, None, "Number that makes faults repeatable.", int],
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
        except (ConfigError, OSError) as error:
            raise usage.UsageError(str(error)) from error

    def _settings(self) -> CameraSettings:
        """Return the settings that were given.

        :raises ConfigError: they make no sense.
        """
        if self["audio"] not in _TURNS:
            raise ConfigError("--audio: on or off")
        password = self["password"]
        if self["password-file"]:
            with open(self["password-file"], encoding="utf-8") as file:
                password = file.readline().rstrip("\r\n")
        if bool(self["user"]) != bool(password):
            raise ConfigError("--user and --password go together")
        return CameraSettings(
            rtsp=tuple(self["rtsp"]) or (DEFAULT_RTSP_ENDPOINT,),
            http=tuple(self["http"]),
            control=tuple(self["control"]),
            serial=self["serial"].upper(),
            credentials=Credentials(self["user"], password) if password else None,
            session_limit=self["sessions"],
            audio_by_default=_TURNS[self["audio"]],
            authenticate_over_http=bool(self["authenticate-over-http"]),
            interface=self["interface"],
            multicast=_multicast(self["multicast"], self["interface"]),
            srtp=_key_source(self["srtp"]),
            seed=self["seed"],
        )


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
    if not address or not port.isdigit() or int(port) % 2 or int(port) > 65000:
        raise ConfigError(f"--multicast: group:port with an even port, not {text!r}")
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
        self._announce = announce
        self.camera = VirtualCamera(reactor, settings)
        self.camera.setServiceParent(self)

    def startService(self) -> None:
        """Start the camera and tell its addresses.

        :raises SystemExit: with one sentence and code 1, if it cannot listen.
        """
        failures: list[Failure] = []
        try:
            super().startService()
        except ConfigError as error:
            raise SystemExit(f"virtual camera: {error}") from None
        self.camera.listening().addCallbacks(self._listening, failures.append)
        if failures:  # endpoints say at once whether they can listen
            cause = getattr(failures[0].value, "subFailure", failures[0])
            raise SystemExit(f"virtual camera: {cause.getErrorMessage()}")

    def _listening(self, lines: list[str]) -> None:
        for line in lines:
            self._announce(f"virtual camera: {line}")


def make_service(
    options: Options, reactor: Any, announce: Callable[[str], None] = announce
) -> AnnouncedCamera:
    """Return the service that the options describe."""
    return AnnouncedCamera(reactor, options.settings, announce)
