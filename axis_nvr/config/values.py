"""What a recorder is told at its start, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from axis_nvr.config.disk import DiskConfig
from axis_nvr.config.events import EventsConfig
from axis_nvr.config.multicast import MulticastConfig

#: How a stream is carried: the words of the VAPIX API, and three of our own.
PROTOCOLS = ("rtspt", "rtsph", "rtspsh", "rtspu", "rtspm", "rtsps")
#: What is asked of a camera's certificate.
VALIDATIONS = ("off", "standard", "limited")
#: Switches an endpoint off.
NONE = "none"
#: Bytes in a mebibyte, in which the sizes of buffers are told.
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """One ``[[camera]]``.

    :param id: the id that stream options name as ``device``.
    :param address: where an Axis camera is; empty if `url` is given.
    :param port: of `address`; None: the one the protocol has.
    :param url: of any other camera, without user information; empty if `address` is given.
    :param username: empty: the camera asks for none.
    :param password: shown nowhere.
    :param protocol: one of `PROTOCOLS`.
    :param certvalidation: one of `VALIDATIONS`.
    :param ca: the certificates trusted for this camera, PEM; empty if there are none.
    :param interface: address of the interface that joins multicast groups; empty: any.
    :param events: whether its events are listened to.
    :param motion: what of them counts as motion; empty: as `EventsConfig.motion` says.
    :param events_with_video: see `EventsConfig.with_video`; None: as that says.
    :param events_by: one of `axis_nvr.config.events.EVENTS_BY`.
    """

    id: str
    address: str = ""
    port: int | None = None
    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    protocol: str = "rtspt"
    certvalidation: str = "off"
    ca: bytes = field(default=b"", repr=False)
    interface: str = ""
    events: bool = False
    motion: tuple[str, ...] = ()
    events_with_video: bool | None = None
    events_by: str = "rtsp"


@dataclass(frozen=True, slots=True)
class RecordingConfig:
    """One ``[[recording]]``: a continuous recording.

    :param disk: the id of its disk.
    :param options: its stream options, as given.
    :param place: where it stands, for messages.
    """

    disk: str
    options: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the recorder is told at its start; relative paths are made absolute.

    :param state_dir: accounts, devices, rules, certificates.
    :param disks: each by its id.
    :param http: a Twisted endpoint description, or `NONE`; `https`, `rtsp`, `rtsps` likewise.
    :param serial: twelve hexadecimal digits; empty: made once and kept in `state_dir`.
    :param ssdp: whether to announce by UPnP.
    :param mdns: whether to announce by Bonjour.
    :param demo: whether to start virtual cameras and record them.
    :param stream_buffer_bytes: what one stream's pre-buffer holds at most.
    :param total_buffer_bytes: what all pre-buffers hold together at most.
    :param events: what of the cameras' events counts, and how it is told on.
    :param multicast: where live streams go for clients that ask for multicast; None: they may not.
    :param usb_disk: the folder that exports to the external disk go to; None: there is none.
    """

    state_dir: Path
    disks: Mapping[str, DiskConfig]
    http: str = NONE
    https: str = NONE
    rtsp: str = NONE
    rtsps: str = NONE
    serial: str = ""
    ssdp: bool = True
    mdns: bool = True
    demo: bool = False
    cameras: tuple[CameraConfig, ...] = ()
    recordings: tuple[RecordingConfig, ...] = ()
    stream_buffer_bytes: int = 64 * MEBIBYTE
    total_buffer_bytes: int = 512 * MEBIBYTE
    events: EventsConfig = field(default_factory=EventsConfig)
    multicast: MulticastConfig | None = None
    usb_disk: Path | None = None
