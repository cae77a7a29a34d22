"""External IP devices: the cameras that clients have named, with what is needed to reach them.

A device may be known by its id alone; it can be recorded from once it has an address. What changes
of a device does not touch a recording that runs: it counts from the next time one is started.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from twisted.internet.defer import DeferredLock

from axis_nvr.config import CameraConfig
from axis_nvr.errors import NvrError
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.vault import Vault

#: Devices there may be.
MAX_DEVICES = 1024
#: Characters of each text of a device.
MAX_TEXT_CHARACTERS = 512
PROTOCOLS = ("rtspt", "rtsph", "rtspsh")
VALIDATIONS = ("off", "standard", "limited")

_HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,253}", re.ASCII)


class NoDevice(NvrError):
    """There is no device of this id."""


class DeviceExists(NvrError):
    """There is a device of this id already."""


class TooManyDevices(NvrError):
    """There are `MAX_DEVICES` already."""


class DeviceIsConfigured(NvrError):
    """The device stands in the configuration file, which we do not write."""


@dataclass(frozen=True, slots=True)
class Device:
    """An external IP device.

    :param serial: as the client gave it.
    :param address: host name or IP address, empty if it is not known yet.
    :param port: 0 is the protocol's own.
    :param has_events: whether its events are listened to.
    """

    id: str
    description: str = ""
    serial: str = ""
    address: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    protocol: str = "rtspt"
    certvalidation: str = "off"
    port: int = 0
    has_events: bool = False


def is_address(text: str) -> bool:
    """Tell whether a text can be a host name or an IP address: no path, no account, no space."""
    return _HOST.fullmatch(text) is not None


class Devices:
    """The devices, in memory and in the state database.

    :param configured: cameras of the configuration file; their ids are taken.
    :param changed: called with a camera that can be recorded from by now, or with an id and None
        for one that no longer can.
    :param trusted: gives the CA certificates, PEM, that devices are checked against.
    :raises ConfigError: the database cannot be read.
    """

    def __init__(
        self,
        database: StateDatabase,
        vault: Vault,
        configured: Iterable[CameraConfig],
        changed: Callable[[str, CameraConfig | None], None],
        trusted: Callable[[], bytes] = bytes,
    ) -> None:
        self._database = database
        self._vault = vault
        self._changed = changed
        self._trusted = trusted
        self._lock = DeferredLock()
        self._configured = {camera.id: _described(camera) for camera in configured}
        self._devices: dict[str, Device] = {}
        query = (
            "SELECT id, description, serial, address, username, protocol, certvalidation, port,"
            " has_events, password FROM devices ORDER BY rowid"
        )
        for *values, has_events, sealed in database.rows(query):
            names = ("id", "description", "serial", "address", "username", "protocol")
            given = dict(zip((*names, "certvalidation", "port"), values, strict=True))
            password = vault.decrypt(sealed)
            self._take(Device(**given, has_events=bool(has_events), password=password))

    @property
    def all(self) -> Mapping[str, Device]:
        """The devices by id, those of the configuration file first."""
        return MappingProxyType({**self._configured, **self._devices})

    def find(self, device_id: str) -> Device:
        """Give a device.

        :raises NoDevice: there is none of this id.
        """
        device = self.all.get(device_id)
        if device is None:
            raise NoDevice(f"no device {device_id!r:.80}")
        return device

    async def create(self, device: Device) -> None:
        """Add a device.

        :raises DeviceExists: its id is taken.
        :raises TooManyDevices: there is no room for it.
        :raises StateError: it could not be kept.
        """
        async with self._lock:
            if device.id in self.all:
                raise DeviceExists(f"device {device.id!r:.80} exists")
            if len(self._devices) >= MAX_DEVICES:
                raise TooManyDevices(f"there are {MAX_DEVICES} devices already")
            await self._keep(device)

    async def update(self, device_id: str, change: Callable[[Device], Device]) -> None:
        """Change a device.

        :param change: gives the device as it is to be; what it raises is raised.
        :raises NoDevice: there is none of this id.
        :raises DeviceIsConfigured: it stands in the configuration file.
        :raises StateError: it could not be kept.
        """
        async with self._lock:
            await self._keep(change(self._own(device_id)))

    async def delete(self, device_id: str) -> None:
        """Remove a device.

        :raises NoDevice: there is none of this id.
        :raises DeviceIsConfigured: it stands in the configuration file.
        :raises StateError: it could not be removed.
        """
        async with self._lock:
            self._own(device_id)
            await self._database.execute("DELETE FROM devices WHERE id = ?", device_id)
            del self._devices[device_id]
            self._changed(device_id, None)

    def _own(self, device_id: str) -> Device:
        if device_id in self._configured:
            raise DeviceIsConfigured(f"device {device_id!r:.80} stands in the configuration file")
        self.find(device_id)
        return self._devices[device_id]

    async def _keep(self, device: Device) -> None:
        row = (
            device.id,
            device.description,
            device.serial,
            device.address,
            device.username,
            self._vault.encrypt(device.password),
            device.protocol,
            device.certvalidation,
            device.port,
            device.has_events,
        )
        names = "description, serial, address, username, password, protocol, certvalidation"
        marks = ", ".join(f"{name} = excluded.{name}" for name in names.split(", "))
        statement = (
            "INSERT INTO devices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id)"  # noqa: S608
            f" DO UPDATE SET {marks}, port = excluded.port, has_events = excluded.has_events"
        )
        await self._database.execute(statement, *row)
        self._take(device)

    def renew(self) -> None:
        """Have what is trusted by now count for the streams that are opened from now on."""
        for device in list(self._devices.values()):
            self._take(device)

    def _take(self, device: Device) -> None:
        self._devices[device.id] = device
        camera = camera_of(device, self._trusted()) if device.address else None
        self._changed(device.id, camera)


def camera_of(device: Device, trusted: bytes) -> CameraConfig:
    """Give what opens a stream of a device.

    :param trusted: CA certificates, PEM.
    """
    return CameraConfig(
        id=device.id,
        address=device.address.strip("[]"),
        port=device.port or None,
        username=device.username,
        password=device.password,
        protocol=device.protocol,
        certvalidation=device.certvalidation,
        ca=trusted,
        events=device.has_events,
    )


def _described(camera: CameraConfig) -> Device:
    """Give a camera of the configuration file as clients see it."""
    protocol = camera.protocol if camera.protocol in PROTOCOLS else "rtspt"
    place = camera.address or camera.url.partition("://")[2].partition("/")[0]
    return Device(
        camera.id,
        "from the configuration file",
        address=place,
        username=camera.username,
        protocol=protocol,
        certvalidation=camera.certvalidation,
        port=camera.port or 0,
        has_events=camera.events,
    )
