"""``record.cgi``, ``stop.cgi`` and ``continuous/``: recordings begun and ended by clients."""

from xml.etree import ElementTree as ET

from axis_nvr.errors import ConfigError, NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.continuous import ContinuousRecordings
from axis_nvr.services.recordings import Order, Recordings
from axis_nvr.vapix.call import Call, Endpoint, Reply
from axis_nvr.vapix.xml_cgi import element, old_style

#: Characters of an ``eventid``.
MAX_EVENT_CHARACTERS = 256
#: What a recording that a client began says it was begun by.
MANUAL = "manual"
_PATH = "/axis-cgi/record/"


class RecordingCgis:
    """Serves them."""

    def __init__(
        self, recordings: Recordings, continuous: ContinuousRecordings, audit: Audit
    ) -> None:
        self._recordings = recordings
        self._continuous = continuous
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        configurations = f"{_PATH}continuous/"
        return (
            Endpoint(f"{_PATH}record.cgi", self.record, Role.OPERATOR),
            Endpoint(f"{_PATH}stop.cgi", self.stop, Role.OPERATOR),
            Endpoint(f"{configurations}addconfiguration.cgi", self.add, Role.OPERATOR),
            Endpoint(f"{configurations}listconfiguration.cgi", self.list, Role.VIEWER),
            Endpoint(f"{configurations}removeconfiguration.cgi", self.remove, Role.OPERATOR),
        )

    async def record(self, call: Call) -> Reply:
        """Begin a recording; answered when the disk has named it."""
        disk, options = call.arguments.get("diskid", ""), call.arguments.get("options", "")
        schema = "recording/record1.xsd"
        order = Order(disk, options, "triggered", MANUAL, MANUAL)
        try:
            recording_id = await self._recordings.record(order)
        except NvrError as error:
            return old_style(schema, _failed("record", error))
        self._note(call, "create", f"recording {recording_id}")
        return old_style(schema, element("record", recordingid=recording_id, result="OK"))

    async def stop(self, call: Call) -> Reply:
        """End a recording."""
        recording_id = call.arguments.get("recordingid", "").strip().strip('"')
        schema = "recording/stop1.xsd"
        try:
            await self._recordings.stop(recording_id)
        except NvrError as error:
            return old_style(schema, _failed("stop", error, recordingid=recording_id))
        self._note(call, "change", f"recording {recording_id}")
        return old_style(schema, element("stop", recordingid=recording_id, result="OK"))

    async def add(self, call: Call) -> Reply:
        """Add a continuous recording and begin it."""
        schema = "recording/continuousconfigurationadd1.xsd"
        arguments = call.arguments
        event = arguments.get("eventid") or "continuous"
        try:
            if "options" not in arguments:
                raise ConfigError("options: missing")
            if len(event) > MAX_EVENT_CHARACTERS or not event.isprintable():
                raise ConfigError("eventid: too long, or with characters that cannot be shown")
            disk, options = arguments.get("diskid", ""), arguments["options"]
            profile = str(await self._continuous.add(disk, options, event))
        except NvrError as error:
            return old_style(schema, _failed("configure", error, profile=""))
        self._note(call, "create", f"continuous recording {profile}")
        return old_style(schema, element("configure", profile=profile, result="OK"))

    async def list(self, call: Call) -> Reply:
        """List continuous recordings, all of them or one."""
        wanted = call.arguments.get("profile", "").strip()
        found = [
            element(
                "continuousrecordingconfiguration",
                profile=str(profile),
                diskid=order.disk,
                options=order.options,
                eventid=order.trigger_name,
            )
            for profile, order in self._continuous.all.items()
            if wanted in ("", str(profile))
        ]
        schema = "recording/continuousconfigurationlist1.xsd"
        return old_style(schema, element("continuousrecordingconfigurations", found))

    async def remove(self, call: Call) -> Reply:
        """End a continuous recording and forget it."""
        schema = "recording/continuousconfigurationremove1.xsd"
        profile = call.arguments.get("profile", "").strip()
        try:
            if not (profile.isascii() and profile.isdecimal() and len(profile) < 19):
                raise ConfigError("profile: a number was expected")
            await self._continuous.remove(int(profile))
        except NvrError as error:
            return old_style(schema, _failed("remove", error, profile=profile))
        self._note(call, "delete", f"continuous recording {profile}")
        return old_style(schema, element("remove", profile=profile, result="OK"))

    def _note(self, call: Call, action: str, target: str) -> None:
        self._audit.note(call.account, call.address, action, target)


def _failed(name: str, error: NvrError, **attributes: str) -> ET.Element:
    return element(name, **attributes, result="ERROR", errormsg=str(error))
