"""``record/storage/``: how much of a disk recordings may take."""

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.disk_settings import NoDisk
from axis_nvr.services.disks import Disks
from axis_nvr.vapix.call import Call, Endpoint
from axis_nvr.vapix.xml_cgi import SCHEMAS, XmlError, XmlFamily, by_class, element

TEXTS: Mapping[int, str] = {
    10: "Error while processing the request",
    20: "Invalid request",
    40: "Specified version is not supported",
    110: "Disk not found",
    120: "Invalid size value",
    130: "Size is below the minimum",
}
FAMILY = XmlFamily(
    "StorageLimitsResponse",
    ("1.0",),
    TEXTS,
    {"xsi:noNamespaceSchemaLocation": f"{SCHEMAS}recordingstoragelimit1.xsd"},
    read_error=by_class({NoDisk: 110}, 10, with_words=True),
)
#: The least that a limit may be, in kB of 1024 bytes: 1 GB.
MIN_SIZE = 1 << 20
#: Digits of a size: no disk is larger.
MAX_DIGITS = 15
_PATH = "/axis-cgi/record/storage/"


class StorageLimitCgis:
    """Serves them."""

    def __init__(self, disks: Disks, audit: Audit) -> None:
        self._disks = disks
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        return (
            FAMILY.versions_endpoint(f"{_PATH}schemaversions.cgi", Role.OPERATOR),
            FAMILY.endpoint(f"{_PATH}getlimit.cgi", self.get, Role.OPERATOR),
            FAMILY.endpoint(f"{_PATH}setlimit.cgi", self.set, Role.OPERATOR),
        )

    async def get(self, call: Call) -> ET.Element:
        """Tell the limit of one disk or of all, and what recordings take."""
        wanted = call.arguments.get("diskid", "")
        ids = (wanted,) if wanted else self._disks.ids
        limits = [await self._limit(disk_id) for disk_id in ids]
        return element("GetStorageLimitsResponse", limits)

    async def _limit(self, disk_id: str) -> ET.Element:
        size = self._disks.setting(disk_id).limit_kib
        try:
            used_bytes = await self._disks.used_bytes(disk_id)
        except StorageError as error:
            if error.kind is not StorageErrorKind.ABSENT:
                raise
            used_bytes = 0
        used = str(used_bytes // 1024)
        return element("StorageLimit", diskid=disk_id, size=str(size), usedspace=used)

    async def set(self, call: Call) -> ET.Element:
        """Set the limit of a disk; 0 takes it away."""
        disk_id, text = call.arguments.get("diskid", ""), call.arguments.get("size", "")
        if not disk_id or not text:
            raise XmlError(20)
        self._disks.setting(disk_id)
        if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
            raise XmlError(120)
        size = int(text)
        if 0 < size < MIN_SIZE:
            raise XmlError(130)
        await self._disks.change(disk_id, limit_kib=size)
        self._audit.note(call.account, call.address, "change", f"disk {disk_id}: limit {size} kB")
        return element("GeneralSuccess")
