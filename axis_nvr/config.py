"""The configuration: a TOML file and the command line, read into frozen values.

Whatever is wrong is one `ConfigError` whose message names the place and the key, and what was
expected there. Nothing is opened or created here apart from the files that the configuration names
for reading; no value of a password, or of a URL that may hold one, gets into a message.

What a stream's options mean, and whether an endpoint can be listened at, is judged by those who
know, above this layer.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from axis_nvr.errors import ConfigError

#: The largest configuration, password or certificate file that is read, in bytes.
MAX_FILE_BYTES = 4 * 1024 * 1024
#: The most cameras, recordings or disks a configuration may name.
MAX_ENTRIES = 4096
#: The longest camera id, in characters.
MAX_CAMERA_ID_LENGTH = 128
#: How a stream is carried: the words of the VAPIX API, and three of our own.
PROTOCOLS = ("rtspt", "rtsph", "rtspsh", "rtspu", "rtspm", "rtsps")
#: What is asked of a camera's certificate.
VALIDATIONS = ("off", "standard", "limited")
#: What a URL's scheme says about how the stream is carried.
SCHEMES = {"rtsp": "rtspt"} | {protocol: protocol for protocol in PROTOCOLS}
#: Switches an endpoint off.
NONE = "none"
#: What is listened at unless told otherwise.
DEFAULT_ENDPOINTS = {"http": "tcp:8080", "https": "ssl:8443", "rtsp": "tcp:8554"}
DEFAULT_STATE_DIR = "nvr-state"
DEFAULT_DISK_ID = "HDD_DISK"

_DISK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_SERIAL = re.compile("[0-9A-F]{12}")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_MEBIBYTE = 1024 * 1024
_Value = TypeVar("_Value")


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
    :param disks: folder by disk id.
    :param http: a Twisted endpoint description, or `NONE`; `https` and `rtsp` likewise.
    :param serial: twelve hexadecimal digits; empty: made once and kept in `state_dir`.
    :param ssdp: whether to announce by UPnP.
    :param mdns: whether to announce by Bonjour.
    :param demo: whether to start virtual cameras and record them.
    :param stream_buffer_bytes: what one stream's pre-buffer holds at most.
    :param total_buffer_bytes: what all pre-buffers hold together at most.
    """

    state_dir: Path
    disks: Mapping[str, Path]
    http: str = NONE
    https: str = NONE
    rtsp: str = NONE
    serial: str = ""
    ssdp: bool = True
    mdns: bool = True
    demo: bool = False
    cameras: tuple[CameraConfig, ...] = ()
    recordings: tuple[RecordingConfig, ...] = ()
    stream_buffer_bytes: int = 64 * _MEBIBYTE
    total_buffer_bytes: int = 512 * _MEBIBYTE


def load_config(path: Path | None, options: Mapping[str, Any], folder: Path) -> Config:
    """Read the configuration file, if any, and lay the command line over it.

    :param path: the file; its relative paths count from its own folder.
    :param options: what the command line gave: the keys of the file's top level.
    :param folder: the working folder; relative paths of the command line count from it.
    :raises ConfigError: naming the key.
    """
    given = Table(options, "the command line", folder)
    if path is None:
        written = Table({}, "the configuration", folder)
    else:
        path = folder / path
        written = Table(_read_toml(path), path.name, path.parent)
    config = _read(written, given)
    written.finish()
    given.finish()
    return config


class Table:
    """A TOML table that says where it is when something in it is wrong.

    :param values: key to value; ``-`` and ``_`` are the same in keys.
    :param place: its name in messages.
    :param folder: what relative paths count from.
    """

    def __init__(self, values: Mapping[str, Any], place: str, folder: Path) -> None:
        self._values: dict[str, Any] = {}
        self.place = place
        self.folder = folder
        for key, value in values.items():
            name = key.replace("-", "_")
            if name in self._values:
                raise self.wrong(key, "is given twice, spelt with - and with _")
            self._values[name] = value
        self._given = frozenset(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def wrong(self, key: str, words: str) -> ConfigError:
        """Make the error that names a key."""
        return ConfigError(f"{self.place}: {key} {words}")

    def take(self, key: str, kind: type[_Value], default: _Value) -> _Value:
        """Return a key's value, or the default; each key is taken once."""
        value = self._values.pop(key, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, f"must be {_KINDS[kind]}, not {_kind_of(value)}")
        return value

    def text(self, key: str, default: str = "") -> str:
        """Return a text without control characters."""
        value = self.take(key, str, default)
        if not value.isprintable():
            raise self.wrong(key, "must be one line of printable characters")
        return value

    def one_of(self, key: str, choices: Sequence[str], default: str) -> str:
        """Return a word out of a few."""
        value = self.text(key, default)
        if value not in choices:
            raise self.wrong(key, f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    def integer(self, key: str, lowest: int, highest: int, default: int) -> int:
        """Return a whole number within bounds."""
        value = self.take(key, int, default)
        if not lowest <= value <= highest:
            raise self.wrong(key, f"must be {lowest} to {highest}, not {value}")
        return value

    def path(self, key: str, default: str) -> Path:
        """Return a path, made absolute."""
        value = self.text(key, default)
        if not value:
            raise self.wrong(key, "must name a folder")
        return self.folder / Path(value).expanduser()

    def content(self, key: str) -> bytes:
        """Return what is in the file that a key names; nothing if there is no such key."""
        if key not in self:
            return b""
        path = self.path(key, "")
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise self.wrong(key, f"names {path}, which cannot be read: {error.strerror}")
        if len(data) > MAX_FILE_BYTES:
            raise self.wrong(key, f"names {path}, which is larger than {MAX_FILE_BYTES} bytes")
        return data

    def tables(self, key: str) -> list["Table"]:
        """Return an array of tables, each with its place."""
        values = self.take(key, list, [])
        if len(values) > MAX_ENTRIES:
            raise self.wrong(key, f"has more than {MAX_ENTRIES} entries")
        for value in values:
            if not isinstance(value, dict):
                raise self.wrong(key, f"must be an array of tables: [[{key}]]")
        return [
            Table(value, f"{self.place}: [[{key}]] number {number}", self.folder)
            for number, value in enumerate(values, 1)
        ]

    def finish(self) -> None:
        """Refuse keys that nobody took."""
        if self._values:
            raise self.wrong(min(self._values), "is not a key that is known here")


_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "an array",
    dict: "a table",
}


def _kind_of(value: object) -> str:
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"--config: {path} cannot be read: {error.strerror}")
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"--config: {path} is larger than {MAX_FILE_BYTES} bytes")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name}: is not UTF-8 at byte {error.start}")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path.name}: is not TOML: {error}")


def _read(written: Table, given: Table) -> Config:
    """Read both; the file must be sound even where the command line wins."""
    state_dir = written.path("state_dir", DEFAULT_STATE_DIR)
    if "state_dir" in given or "state_dir" not in written:
        state_dir = given.path("state_dir", DEFAULT_STATE_DIR)
    written_disks = _disks(written)
    disks = _disks(given) or written_disks or {DEFAULT_DISK_ID: state_dir / DEFAULT_DISK_ID}
    serials = [_serial(given), _serial(written)]
    announced = not _switch(written, given, "no_discovery")
    return Config(
        state_dir=state_dir,
        disks=disks,
        http=_endpoint(written, given, "http"),
        https=_endpoint(written, given, "https"),
        rtsp=_endpoint(written, given, "rtsp"),
        serial=serials[0] or serials[1],
        ssdp=written.take("ssdp", bool, True) and announced,
        mdns=written.take("mdns", bool, True) and announced,
        demo=_switch(written, given, "demo"),
        cameras=_cameras(written.tables("camera")),
        recordings=_recordings(written.tables("recording"), disks),
        stream_buffer_bytes=written.integer("stream_buffer_mib", 1, 65_536, 64) * _MEBIBYTE,
        total_buffer_bytes=written.integer("total_buffer_mib", 1, 1_048_576, 512) * _MEBIBYTE,
    )


def _switch(written: Table, given: Table, key: str) -> bool:
    values = [table.take(key, bool, False) for table in (written, given)]
    return any(values)


def _endpoint(written: Table, given: Table, key: str) -> str:
    default = written.text(key, DEFAULT_ENDPOINTS[key])
    value = given.text(key, default)
    table = given if key in given else written
    if value != NONE and ":" not in value:
        raise table.wrong(key, f"must be an endpoint such as tcp:8080, or none, not {value!r}")
    return value


def _serial(table: Table) -> str:
    serial = table.text("serial").upper().replace(":", "")
    if serial and not _SERIAL.fullmatch(serial):
        raise table.wrong("serial", "must be 12 hexadecimal digits")
    return serial


def _disks(table: Table) -> dict[str, Path]:
    """Read ``disk``: a table of folders by id, or a list of ``ID=DIR`` as on the command line."""
    values = table.take("disk", object, [])
    if isinstance(values, dict):
        pairs = list(values.items())
    elif isinstance(values, list) and all(isinstance(value, str) for value in values):
        pairs = [value.partition("=")[::2] for value in values]
    else:
        raise table.wrong("disk", "must be a table of folders by id, or an array of ID=DIR")
    disks: dict[str, Path] = {}
    for disk_id, folder in pairs:
        if not _DISK_ID.fullmatch(disk_id):
            words = "1 to 32 letters, digits, - and _, and begin with a letter or digit"
            raise table.wrong("disk", f"is ID=DIR, and the id must have {words}, not {disk_id!r}")
        if not isinstance(folder, str) or not folder or not folder.isprintable():
            raise table.wrong("disk", f"must name a folder for {disk_id}")
        if disk_id in disks:
            raise table.wrong("disk", f"names {disk_id} twice")
        path = table.folder / Path(folder).expanduser()
        if path in disks.values():
            raise table.wrong("disk", f"names the folder {path} twice")
        disks[disk_id] = path
    return disks


def _cameras(tables: list[Table]) -> tuple[CameraConfig, ...]:
    cameras: dict[str, CameraConfig] = {}
    for table in tables:
        camera = _camera(table)
        if camera.id in cameras:
            raise table.wrong("id", f"{camera.id!r} is the id of another camera too")
        cameras[camera.id] = camera
    return tuple(cameras.values())


def _camera(table: Table) -> CameraConfig:
    camera_id = table.text("id")
    if not 0 < len(camera_id) <= MAX_CAMERA_ID_LENGTH:
        raise table.wrong("id", f"must be a text of 1 to {MAX_CAMERA_ID_LENGTH} characters")
    table.place += f" ({camera_id!r})"
    url, url_username, url_password, implied = _url(table)
    username = table.text("username", url_username)
    password = _password(table, url_password)
    if password and not username:
        raise table.wrong("username", "must be there if there is a password")
    camera = CameraConfig(
        id=camera_id,
        address=_address(table),
        port=table.integer("port", 1, 65_535, 1) if "port" in table else None,
        url=url,
        username=username,
        password=password,
        protocol=table.one_of("protocol", PROTOCOLS, implied),
        certvalidation=table.one_of("certvalidation", VALIDATIONS, "off"),
        ca=table.content("ca"),
        interface=_interface(table),
    )
    if bool(camera.address) == bool(camera.url):
        raise table.wrong("address", "or url must be there, one of the two")
    if camera.url and camera.port is not None:
        raise table.wrong("port", "goes with address; in a url it stands behind the host")
    table.finish()
    return camera


def _address(table: Table) -> str:
    address = table.text("address").strip("[]")
    if address and not _HOST.fullmatch(address) and not _is_ip(address):
        raise table.wrong("address", "must be a host name or an IP address, without port or path")
    return address


def _interface(table: Table) -> str:
    address = table.text("interface")
    if address and not _is_ip(address):
        raise table.wrong("interface", "must be the IP address of an interface")
    return address


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _url(table: Table) -> tuple[str, str, str, str]:
    """Take a URL apart: itself without user information, user name, password, protocol."""
    url = table.text("url")
    if not url:
        return "", "", "", "rtspt"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or any(sign in url for sign in " #"):
        raise table.wrong("url", "must be a URL such as rtsp://192.168.0.91:554/live")
    if parts.scheme not in SCHEMES:
        raise table.wrong("url", f"must begin with {', '.join(SCHEMES)}, not {parts.scheme!r}")
    protocol = SCHEMES[parts.scheme]
    scheme = "rtsps" if protocol == "rtsps" else "rtsp"
    user, _, place = parts.netloc.rpartition("@")
    username, _, password = (unquote(part) for part in user.partition(":"))
    if user and ("username" in table or "password" in table or "password_file" in table):
        raise table.wrong("username", "and password stand in the url already")
    bare = parts._replace(scheme=scheme, netloc=place).geturl()
    return bare, username, password, protocol


def _password(table: Table, default: str) -> str:
    """Read the password, or the first line of the file that holds it. Never in a message."""
    if "password" in table and "password_file" in table:
        raise table.wrong("password_file", "and password are both there: one of the two")
    if "password_file" in table:
        lines = table.content("password_file").splitlines()
        try:
            return lines[0].decode() if lines else ""
        except UnicodeDecodeError:
            raise table.wrong("password_file", "names a file that is not UTF-8")
    return table.text("password", default)


def _recordings(tables: list[Table], disks: Mapping[str, Path]) -> tuple[RecordingConfig, ...]:
    recordings = []
    for table in tables:
        for key in ("disk", "options"):
            if key not in table:
                raise table.wrong(key, "is missing")
        recording = RecordingConfig(table.text("disk"), table.text("options"), table.place)
        if recording.disk not in disks:
            known = ", ".join(disks)
            raise table.wrong("disk", f"{recording.disk!r} is not among the disks: {known}")
        table.finish()
        recordings.append(recording)
    return tuple(recordings)
