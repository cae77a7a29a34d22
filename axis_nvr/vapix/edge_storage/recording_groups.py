"""``recording_group/``: recording groups, version 1 of their API.

::

    GET /axis-cgi/record/recording_group/create.cgi?schemaversion=1&diskid=HDD_DISK
        &retentiontime=72&streamoptions=device%3Dfront%26fps%3D25
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.groups import (
    GroupExists,
    GroupInUse,
    Groups,
    NoGroup,
    PlacedGroup,
    TooManyGroups,
    UnknownDisk,
    WrongStreamOptions,
)
from axis_nvr.storage.groups import Group, is_group_id
from axis_nvr.vapix.arguments import Arguments
from axis_nvr.vapix.call import Call, Endpoint
from axis_nvr.vapix.xml_cgi import SCHEMAS, Content, XmlError, XmlFamily, by_class, element

TEXTS = {
    10: "An error occurred while processing the request",
    20: "Invalid request",
    40: "Specified version not supported",
    110: "Recording group not found",
    120: "Max number of recording groups reached",
    130: "Invalid stream options",
    140: "Recording group in use",
}
#: Code of each error of the service; any other is 10.
ERRORS: Mapping[type[NvrError], int] = {
    GroupExists: 20,
    UnknownDisk: 20,
    NoGroup: 110,
    TooManyGroups: 120,
    WrongStreamOptions: 130,
    GroupInUse: 140,
}
FAMILY = XmlFamily(
    "RecordingGroupResponse",
    ("1.0",),
    TEXTS,
    {"xsi:noNamespaceSchemaLocation": f"{SCHEMAS}recording_group.xsd"},
    version_attribute="schemaversion",
    read_error=by_class(ERRORS, 10),
)
#: Characters of a text.
MAX_TEXT_CHARACTERS = 512
#: Hours that recordings may be kept: a hundred years.
MAX_RETENTION_HOURS = 876_600
#: Milliseconds before a start and after a stop: a day.
MAX_DURATION_MS = 86_400_000
_PATH = "/axis-cgi/record/recording_group/"

#: Arguments that are texts and numbers, the fields of a group, and the most of each.
_TEXTS = (("description", "description"), ("nicename", "nice_name"))
_NUMBERS = (
    ("retentiontime", "retention_hours", MAX_RETENTION_HOURS),
    ("preduration", "pre_ms", MAX_DURATION_MS),
    ("postduration", "post_ms", MAX_DURATION_MS),
)


class RecordingGroups:
    """Serves the five methods."""

    def __init__(self, groups: Groups, audit: Audit) -> None:
        self._groups = groups
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        methods: tuple[tuple[str, Content, Role], ...] = (
            ("create", self.create, Role.OPERATOR),
            ("update", self.update, Role.OPERATOR),
            ("delete", self.delete, Role.OPERATOR),
            ("list", self.list, Role.VIEWER),
        )
        return (
            FAMILY.versions_endpoint(f"{_PATH}schemaversions.cgi", Role.VIEWER),
            *(
                FAMILY.endpoint(f"{_PATH}{name}.cgi", content, role)
                for name, content, role in methods
            ),
        )

    async def create(self, call: Call) -> ET.Element:
        """Add a group; a disk and stream options with a device are needed."""
        group_id, disk = call.arguments.get("recordinggroupid", ""), call.arguments.get("diskid")
        if not disk or (group_id and not is_group_id(group_id)):
            raise XmlError(20)
        group = replace(Group(group_id), **_given(call.arguments))
        group_id = await self._groups.create(group, disk)
        self._note(call, "create", group_id)
        return element("CreateSuccess", RecordingGroupId=group_id)

    async def update(self, call: Call) -> ET.Element:
        """Change what is sent of a group; its disk stays."""
        group_id, given = _id(call), _given(call.arguments)
        disk = call.arguments.get("diskid")
        if disk and disk != self._groups.find(group_id).disk:
            raise XmlError(20)
        await self._groups.update(group_id, lambda group: replace(group, **given))
        self._note(call, "change", group_id)
        return element("GeneralSuccess")

    async def delete(self, call: Call) -> ET.Element:
        """Remove a group and its recordings."""
        group_id = _id(call)
        await self._groups.delete(group_id)
        self._note(call, "delete", group_id)
        return element("GeneralSuccess")

    async def list(self, call: Call) -> ET.Element:
        """List the groups, all of them or one."""
        group_id = call.arguments.get("recordinggroupid", "")
        if group_id:
            return element("ListSuccess", [_described(self._groups.find(group_id))])
        return element("ListSuccess", map(_described, self._groups.all.values()))

    def _note(self, call: Call, action: str, group_id: str) -> None:
        self._audit.note(call.account, call.address, action, f"recording group {group_id}")


def _id(call: Call) -> str:
    group_id = call.arguments.get("recordinggroupid", "")
    if not group_id:
        raise XmlError(20)
    return group_id


def _given(arguments: Arguments) -> dict[str, Any]:
    """Read what is sent of a group; what is not sent is not among it."""
    given: dict[str, Any] = {}
    for name, field in _TEXTS:
        text = arguments.get(name)
        if text is not None:
            if len(text) > MAX_TEXT_CHARACTERS or not text.isprintable():
                raise XmlError(20)
            given[field] = text
    for name, field, most in _NUMBERS:
        text = arguments.get(name)
        if text is not None:
            given[field] = _number(text.strip(), most)
    if "streamoptions" in arguments:
        given["stream_options"] = arguments["streamoptions"]
    return given


def _number(text: str, most: int) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 12 and int(text) <= most):
        raise XmlError(20)
    return int(text)


def _described(placed: PlacedGroup) -> ET.Element:
    group = placed.group
    return element(
        "RecordingGroup",
        RecordingGroupId=group.id,
        NiceName=group.nice_name,
        Description=group.description,
        RetentionTime=str(group.retention_hours),
        DiskId=placed.disk,
        StreamOptions=group.stream_options,
        PreDuration=str(group.pre_ms),
        PostDuration=str(group.post_ms),
    )
