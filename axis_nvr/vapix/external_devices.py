"""``externalipdeviceinfo``: External IP Device Information 2.1."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.ca_certificates import CaCertificates, NoCertificate
from axis_nvr.services.devices import (
    MAX_TEXT_CHARACTERS,
    PROTOCOLS,
    VALIDATIONS,
    Device,
    DeviceExists,
    Devices,
    NoDevice,
    TooManyDevices,
    is_address,
)
from axis_nvr.vapix.call import Call, Endpoint
from axis_nvr.vapix.xml_cgi import SCHEMAS, Content, XmlError, XmlFamily, by_class, element

TEXTS = {
    10: "An error occurred at system level",
    30: "Maximum amount of devices reached",
    40: "Invalid or no id",
    60: "Unsupported schema version",
    70: "Invalid request",
    80: "Processing error",
    90: "No device",
    150: "Device already exists",
    170: "Invalid description",
    180: "Invalid serialnumber",
    190: "Invalid protocol",
    200: "Invalid port",
    210: "Invalid certificate validation",
    220: "Invalid CA certificate",
}
#: Code of each error of the service.
ERRORS: Mapping[type[NvrError], int] = {NoDevice: 90, DeviceExists: 150, TooManyDevices: 30}
FAMILY = XmlFamily(
    "DeviceResponse",
    ("2.0", "2.1"),
    TEXTS,
    {"xsi:noNamespaceSchemaLocation": f"{SCHEMAS}ExternalIpDeviceInfo2.xsd"},
    unsupported_version=60,
    text_element="Description",
    tells_deprecated=False,
    read_error=by_class(ERRORS, 80),
)
#: Characters of an id.
MAX_ID_CHARACTERS = 128
#: CA certificates that one list may name.
MAX_CERTIFICATES = 100
_PATH = "/axis-cgi/externalipdeviceinfo/"
_ON, _OFF = ("YES", "yes", "enabled"), ("NO", "no", "disabled")


class ExternalDevices:
    """Serves the nine methods."""

    def __init__(self, devices: Devices, certificates: CaCertificates, audit: Audit) -> None:
        self._devices = devices
        self._certificates = certificates
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        methods: dict[str, Content] = {
            "create": self.create,
            "update": self.update,
            "delete": self.delete,
            "list": self.list,
            "seteventsenabled": self.set_events_enabled,
            "geteventsenabled": self.get_events_enabled,
            "setcacertificates": self.set_ca_certificates,
            "getcacertificates": self.get_ca_certificates,
        }
        return (
            FAMILY.versions_endpoint(f"{_PATH}schemaversions.cgi", Role.ADMIN),
            *(
                FAMILY.endpoint(f"{_PATH}{name}.cgi", content, Role.ADMIN)
                for name, content in methods.items()
            ),
        )

    async def create(self, call: Call) -> ET.Element:
        """Add a device; an id will do."""
        device = _changed(Device(_id(call)), call, incomplete=70)
        await self._devices.create(device)
        return self._done(call, "create", device.id)

    async def update(self, call: Call) -> ET.Element:
        """Change what is sent of a device; an empty argument empties it."""
        device_id = _id(call)
        await self._devices.update(device_id, lambda d: _changed(d, call, incomplete=80))
        return self._done(call, "change", device_id)

    async def delete(self, call: Call) -> ET.Element:
        """Remove a device."""
        device_id = _id(call)
        await self._devices.delete(device_id)
        return self._done(call, "delete", device_id)

    async def list(self, call: Call) -> ET.Element:
        """List the devices, without their passwords."""
        return element("ListDevicesSuccess", map(_described, self._devices.all.values()))

    async def set_events_enabled(self, call: Call) -> ET.Element:
        """Say whether the events of a device are listened to."""
        device_id, enabled = _id(call), call.arguments.get("enabled", "")
        self._devices.find(device_id)
        if enabled not in _ON + _OFF:
            raise XmlError(70)
        await self._devices.update(device_id, lambda d: replace(d, has_events=enabled in _ON))
        return self._done(call, "change", device_id)

    async def get_events_enabled(self, call: Call) -> ET.Element:
        """Tell whether the events of a device are listened to."""
        device = self._devices.find(_id(call))
        enabled = element("EventsEnabled", "YES" if device.has_events else "NO")
        return element("GetEventsEnabledSuccess", [element("Id", device.id), enabled])

    async def set_ca_certificates(self, call: Call) -> ET.Element:
        """Trust these CA certificates and no others."""
        listed = call.arguments.get("certids", "")
        ids = tuple(name.strip() for name in listed.split(",") if name.strip())
        if len(ids) > MAX_CERTIFICATES:
            raise XmlError(220)
        try:
            await self._certificates.choose(ids)
        except NoCertificate:
            raise XmlError(220) from None
        self._devices.renew()
        self._audit.note(call.account, call.address, "change", "CA certificates of devices")
        return element("GeneralSuccess")

    async def get_ca_certificates(self, call: Call) -> ET.Element:
        """Tell which CA certificates are trusted."""
        chosen = (element("CACertificate", [element("Id", i)]) for i in self._certificates.chosen)
        return element("GetCACertificatesSuccess", chosen)

    def _done(self, call: Call, action: str, device_id: str) -> ET.Element:
        self._audit.note(call.account, call.address, action, f"device {device_id}")
        return element("GeneralSuccess")


def _id(call: Call) -> str:
    device_id = call.arguments.get("id", "")
    if not 0 < len(device_id) <= MAX_ID_CHARACTERS or not device_id.isprintable():
        raise XmlError(40)
    return device_id


def _one_of(words: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda text: text in words


def _is_text(text: str) -> bool:
    return len(text) <= MAX_TEXT_CHARACTERS and text.isprintable()


#: Arguments of a device, what each must be, and the code for one that is not; None: `incomplete`.
_FIELDS: tuple[tuple[str, Callable[[str], bool], int | None], ...] = (
    ("description", _is_text, 170),
    ("serialnumber", _is_text, 180),
    ("address", lambda text: not text or is_address(text), None),
    ("username", _is_text, None),
    ("password", _is_text, None),
    ("protocol", _one_of(("", *PROTOCOLS)), 190),
    ("certvalidation", _one_of(("", *VALIDATIONS)), 210),
)


def _changed(device: Device, call: Call, *, incomplete: int) -> Device:
    """Give a device with the arguments of a call.

    :param incomplete: the code for an address without an account, and for a wrong address.
    """
    given: dict[str, str] = {}
    for name, is_right, code in _FIELDS:
        value = call.arguments.get(name)
        if value is not None:
            if not is_right(value):
                raise XmlError(incomplete if code is None else code)
            given["serial" if name == "serialnumber" else name] = value
    defaults = Device("")
    for name in ("protocol", "certvalidation"):
        if given.get(name) == "":
            given[name] = getattr(defaults, name)
    port = call.arguments.get("port")
    device = replace(device, **given)  # type: ignore[arg-type]
    if port is not None:
        device = replace(device, port=_port(port))
    if device.address and not (device.username and device.password):
        raise XmlError(incomplete)
    return device


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65_535):
        if not text:
            return 0
        raise XmlError(200)
    return int(text)


def _described(device: Device) -> ET.Element:
    texts = {
        "Id": device.id,
        "Serialnumber": device.serial,
        "Description": device.description,
        "Address": device.address,
        "Username": device.username,
        "Protocol": device.protocol,
        "Port": str(device.port),
        "CertificateValidation": device.certvalidation,
    }
    return element("Device", (element(name, text) for name, text in texts.items()))
