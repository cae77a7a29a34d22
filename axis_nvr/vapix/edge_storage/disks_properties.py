"""``disks/properties/``: how long a disk keeps recordings, its encryption, its alert levels."""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from axis_nvr.config.disk import CLEANUPS, MAX_DAYS
from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.disk_encryption import EncryptionRefused, Refusal
from axis_nvr.services.disk_settings import NoDisk
from axis_nvr.services.disks import Disks
from axis_nvr.services.luks import MAX_PASSPHRASE_BYTES
from axis_nvr.vapix.call import Call, Endpoint
from axis_nvr.vapix.xml_cgi import SCHEMAS, Content, XmlError, XmlFamily, element

TEXTS = {
    10: "Error while processing the request",
    20: "Invalid request",
    30: "Specified file system is not supported",
    40: "Specified version is not supported",
    50: "Invalid disk ID",
    100: "The disk does not support disk encryption",
    110: "Invalid passphrase",
    120: "Invalid new passphrase",
    130: "Old passphrase does not match",
    140: "Encryption is already enabled",
    150: "The disk is unmounted",
    160: "The disk is mounted",
}
#: Code of each refusal; that of a passphrase differs with who asks.
REFUSALS: Mapping[Refusal, int] = {
    Refusal.UNSUPPORTED: 100,
    Refusal.INVALID_PASSPHRASE: 110,
    Refusal.OLD_DIFFERS: 130,
    Refusal.ALREADY_ENCRYPTED: 140,
    Refusal.UNMOUNTED: 150,
    Refusal.MOUNTED: 160,
}


def _read_error(error: NvrError) -> XmlError:
    if isinstance(error, EncryptionRefused):
        return XmlError(REFUSALS[error.refusal])
    return XmlError(50) if isinstance(error, NoDisk) else XmlError(10, str(error))


_NAMESPACE = f"{SCHEMAS}disks/properties1"
FAMILY = XmlFamily(
    "DiskPropertiesResponse",
    ("1.0", "1.1"),
    TEXTS,
    {
        "xmlns": _NAMESPACE,
        "xsi:schemaLocation": f"{_NAMESPACE} {SCHEMAS}disks/properties/disk_properties1.xsd",
    },
    error_within=("Error",),
    success_within=("Success",),
    read_error=_read_error,
)
#: The highest alert level.
MAX_LEVEL = 1_000_000
_PATH = "/axis-cgi/disks/properties/"


class DiskPropertyCgis:
    """Serves the nine methods."""

    def __init__(self, disks: Disks, audit: Audit) -> None:
        self._disks = disks
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        methods: dict[str, Content] = {
            "setrequiredfs": self.set_required_file_system,
            "enablediskencryption": self.enable_encryption,
            "disablediskencryption": self.disable_encryption,
            "changediskpassphrase": self.change_passphrase,
            "setcleanupmaxage": self.set_max_age,
            "setcleanuppolicy": self.set_policy,
            "setdiskalertlevels": self.set_alert_levels,
        }
        return (
            FAMILY.versions_endpoint(f"{_PATH}schemaversions.cgi", Role.OPERATOR),
            FAMILY.endpoint(f"{_PATH}getdiskalertlevels.cgi", self.alert_levels, Role.OPERATOR),
            *(
                FAMILY.endpoint(f"{_PATH}{name}.cgi", content, Role.ADMIN)
                for name, content in methods.items()
            ),
        )

    async def set_required_file_system(self, call: Call) -> ET.Element:
        """Take ``none``; a file system that disks must have is not supported."""
        try:
            self._disks.setting(_given(call, "diskid"))
        except NoDisk:
            raise XmlError(20) from None  # this method has no code of its own for it
        wanted = _given(call, "filesystem")
        if wanted != "none":
            raise XmlError(30)
        return element("GeneralSuccess")

    async def enable_encryption(self, call: Call) -> ET.Element:
        """Have a disk be used only if it is encrypted."""
        disk_id, passphrase = _given(call, "diskid"), _passphrase(call, "passphrase", 110)
        await self._disks.enable_encryption(disk_id, passphrase)
        return self._done(call, disk_id, "encryption enabled")

    async def disable_encryption(self, call: Call) -> ET.Element:
        """Have a disk be used only if it is not encrypted."""
        disk_id = _given(call, "diskid")
        await self._disks.disable_encryption(disk_id)
        return self._done(call, disk_id, "encryption disabled")

    async def change_passphrase(self, call: Call) -> ET.Element:
        """Let another passphrase open a disk."""
        disk_id = _given(call, "diskid")
        new, old = _passphrase(call, "newpassphrase", 120), _passphrase(call, "oldpassphrase", 130)
        try:
            await self._disks.change_passphrase(disk_id, old, new)
        except EncryptionRefused as error:
            if error.refusal is Refusal.INVALID_PASSPHRASE:
                raise XmlError(120) from None
            raise
        return self._done(call, disk_id, "passphrase changed")

    async def set_max_age(self, call: Call) -> ET.Element:
        """Say for how many days recordings are kept."""
        days = _number(call, "maxage", MAX_DAYS)
        return await self._change(call, f"maxage {days}", max_age_days=days)

    async def set_policy(self, call: Call) -> ET.Element:
        """Say whether the oldest recordings make room for new ones."""
        policy = _given(call, "cleanuppolicy")
        if policy not in CLEANUPS:
            raise XmlError(20)
        return await self._change(call, f"cleanuppolicy {policy}", cleanup=policy)

    async def set_alert_levels(self, call: Call) -> ET.Element:
        """Say from which wear and temperature on there is an alert."""
        wear = _number(call, "wear", MAX_LEVEL)
        temperature = _number(call, "temperature", MAX_LEVEL)
        words = f"alert levels {wear} % and {temperature} K"
        return await self._change(call, words, wear_level=wear, temperature_level=temperature)

    async def alert_levels(self, call: Call) -> ET.Element:
        """Tell from which wear and temperature on there is an alert."""
        setting = self._disks.setting(_given(call, "diskid"))
        levels = element(
            "AlertLevels",
            Wear=str(setting.wear_level),
            Temperature=str(setting.temperature_level),
        )
        return element("GetAlertLevelsSuccess", [levels])

    async def _change(self, call: Call, words: str, **values: Any) -> ET.Element:
        disk_id = _given(call, "diskid")
        await self._disks.change(disk_id, **values)
        return self._done(call, disk_id, words)

    def _done(self, call: Call, disk_id: str, words: str) -> ET.Element:
        self._audit.note(call.account, call.address, "change", f"disk {disk_id}: {words}")
        return element("GeneralSuccess")


def _given(call: Call, name: str) -> str:
    value = call.arguments.get(name, "")
    if not value:
        raise XmlError(20)
    return value


def _passphrase(call: Call, name: str, code: int) -> str:
    if name not in call.arguments:
        raise XmlError(20)
    value = call.arguments[name]
    if not 0 < len(value.encode()) <= MAX_PASSPHRASE_BYTES:
        raise XmlError(code)
    return value


def _number(call: Call, name: str, most: int) -> int:
    text = _given(call, name)
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):
        raise XmlError(20)
    return int(text)
