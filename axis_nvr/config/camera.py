"""The tables ``[[camera]]``: where each camera is, how it is spoken to, and who we are to it.

A camera has an ``address``, as Axis cameras do, or a ``url``; the URL may tell the protocol by its
scheme, and user name and password before its host, and is kept without both.

Events of a camera with an address are listened to unless told otherwise: it is an Axis camera,
which has them and sessions enough, and no client can switch them on for a camera of the file. A
camera given by URL may have neither, so there they have to be asked for.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from axis_nvr.config.events import DEFAULT_MOTION, EVENTS_BY, read_motion
from axis_nvr.config.table import Table
from axis_nvr.config.values import PROTOCOLS, VALIDATIONS, CameraConfig

#: The longest camera id, in characters.
MAX_CAMERA_ID_LENGTH = 128
#: What counts as motion of a camera given by URL that does not say: most speak ONVIF.
URL_MOTION = (*DEFAULT_MOTION, "onvif")
#: What a URL's scheme says about how the stream is carried.
SCHEMES = {"rtsp": "rtspt"} | {protocol: protocol for protocol in PROTOCOLS}

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")


def read_cameras(tables: Iterable[Table]) -> tuple[CameraConfig, ...]:
    """Read all cameras.

    :raises ConfigError: naming the key; two have the same id.
    """
    cameras: dict[str, CameraConfig] = {}
    for table in tables:
        camera = _camera(table)
        if camera.id in cameras:
            raise table.wrong("id", f"{camera.id!r} is the id of another camera too")
        cameras[camera.id] = camera
    return tuple(cameras.values())


def _camera(table: Table) -> CameraConfig:
    if "id" not in table:
        raise table.missing("id")
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
        events=table.take("events", bool, not url),
        motion=read_motion(table, URL_MOTION if url else ()),
        events_with_video=table.take("events_with_video", bool, False)
        if "events_with_video" in table
        else None,
        events_by=table.one_of("events_by", EVENTS_BY, EVENTS_BY[0]),
    )
    table.finish()
    if bool(camera.address) == bool(camera.url):
        raise table.wrong("address", "or url must be there, one of the two")
    if camera.url and camera.port is not None:
        raise table.wrong("port", "goes with address; in a url it stands behind the host")
    if camera.url and "events_by" in table:
        raise table.wrong("events_by", "goes with address: other cameras have events in their url")
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
