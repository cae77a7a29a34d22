"""Where a camera is and how it is to be spoken to."""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from axis_nvr.errors import ConfigError
from axis_nvr.session.digest import Credentials


class StreamProtocol(StrEnum):
    """How a stream is carried; the first three are the words of the VAPIX API."""

    RTSPT = "rtspt"  # RTP interleaved in the TCP connection of RTSP
    RTSPH = "rtsph"  # the same, tunnelled in HTTP
    RTSPSH = "rtspsh"  # the same, tunnelled in HTTPS
    RTSPU = "rtspu"  # RTP in UDP, to us
    RTSPM = "rtspm"  # RTP in UDP, to a multicast group
    RTSPS = "rtsps"  # RTP interleaved in RTSP, in TLS


class CertificateValidation(StrEnum):
    """What is asked of a camera's certificate."""

    OFF = "off"  # nothing
    STANDARD = "standard"  # a chain to a configured CA, and the camera's name
    LIMITED = "limited"  # a chain to a configured CA


#: The ports used where the URL names none.
DEFAULT_PORTS = {
    StreamProtocol.RTSPT: 554,
    StreamProtocol.RTSPH: 80,
    StreamProtocol.RTSPSH: 443,
    StreamProtocol.RTSPU: 554,
    StreamProtocol.RTSPM: 554,
    StreamProtocol.RTSPS: 322,
}
TUNNELLED = frozenset({StreamProtocol.RTSPH, StreamProtocol.RTSPSH})
ENCRYPTED = frozenset({StreamProtocol.RTSPSH, StreamProtocol.RTSPS})
DATAGRAMS = frozenset({StreamProtocol.RTSPU, StreamProtocol.RTSPM})


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """All that is needed to reach one stream of a camera.

    :param url: absolute, with ``rtsp`` or ``rtsps`` as scheme, the query as the camera is to get
        it and no user information.
    :param protocol: how the stream is carried.
    :param credentials: an account of the camera's, or None.
    :param validation: what is asked of its certificate; more than `CertificateValidation.OFF`
        makes no connection at all with a protocol that has none.
    :param ca: the certificates trusted for this camera, PEM, any number.
    :param interface: IP address of the interface that joins multicast groups; empty: the one
        that faces the camera.
    """

    url: str
    protocol: StreamProtocol = StreamProtocol.RTSPT
    credentials: Credentials | None = field(default=None, repr=False)
    validation: CertificateValidation = CertificateValidation.OFF
    ca: bytes = field(default=b"", repr=False)
    interface: str = ""

    @property
    def host(self) -> str:
        """The host to connect to: a name, or an address without brackets."""
        return _split(self.url)[0]

    @property
    def port(self) -> int:
        """The port to connect to."""
        return _split(self.url)[1] or DEFAULT_PORTS[self.protocol]

    def check(self) -> None:
        """Say what makes this address unusable, before anything is sent.

        :raises ConfigError: no host in the URL, or a certificate is to be validated where there
            is none or without a CA to validate it by.
        """
        _split(self.url)
        if self.validation is CertificateValidation.OFF:
            return
        if self.protocol not in ENCRYPTED:
            raise ConfigError(
                f"certvalidation={self.validation} asks for a certificate, but protocol="
                f"{self.protocol} has none: no connection is made"
            )
        if not self.ca:
            raise ConfigError(
                f"certvalidation={self.validation} needs a CA certificate, and none is configured"
            )


def _split(url: str) -> tuple[str, int | None]:
    """Host and port of `url`.

    :raises ConfigError: it has no host, or no usable port.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise ConfigError("the camera's URL has no host or no valid port")
    return host, port or None
