"""``record/export/``: recordings as files, downloaded or put on an external disk.

Beyond the API: ``exportformat=mp4``; several recordings in one file, ``recordingid=a,b,c`` or
``device=…``; ranges of a Matroska file.
"""

import re
from collections import OrderedDict
from urllib.parse import quote
from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError, StorageError, WireError
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.export.jobs import ExportJobs
from axis_nvr.services.export.order import FORMATS, CannotExport, ExportOrder, Why
from axis_nvr.services.exporting import MAX_RECORDINGS, Export, Exports
from axis_nvr.storage.layout import utc_text
from axis_nvr.vapix.call import Call, Endpoint, Reply
from axis_nvr.vapix.edge_storage.times import parse_time
from axis_nvr.vapix.ranges import ByteRange, NotSatisfiable, asked_range
from axis_nvr.vapix.xml_cgi import SCHEMAS, XmlError, XmlFamily, element

PATH = "/axis-cgi/record/export/"
ZIP = "zip-aes256"
MAX_PASSWORD_BYTES = 512
MAX_NAME_BYTES = 200
MAX_DEVICE_CHARACTERS = 256
#: Downloads that are remembered, so that each is noted once however many parts it comes in.
MAX_REMEMBERED = 256

TEXTS = {
    10: "Error while processing the request",
    20: "Invalid request",
    40: "Version not supported",
    110: "Recording not found",
    120: "Invalid start time",
    130: "Invalid stop time",
    140: "Start time after stop time",
    150: "Start time after the end of the recording",
    160: "Stop time before the start of the recording",
    170: "Invalid export format",
    180: "Export format not compatible with the media type",
    190: "Job not found",
    200: "Invalid external disk",
    210: "Unusable external disk",
    220: "Maximum number of jobs reached",
    230: "Invalid file path",
    240: "Invalid password",
    250: "Invalid encryption format",
    260: "Password not set",
    270: "Encryption format not set",
    280: "Encryption format not compatible with the export format",
}
_CODES = {
    Why.NO_RECORDING: 110,
    Why.START_BEHIND_END: 150,
    Why.STOP_BEFORE_BEGIN: 160,
    Why.NOT_IN_FORMAT: 180,
    Why.NO_DISK: 200,
    Why.DISK_UNUSABLE: 210,
    Why.TOO_MANY: 220,
    Why.BAD_PATH: 230,
}


def _read_error(error: NvrError) -> XmlError:
    if isinstance(error, StorageError):
        return XmlError(10, f"the disk cannot be read: {error.kind}")
    if not isinstance(error, CannotExport):
        return XmlError(10)
    return XmlError(_CODES[error.why], str(error) if error.why is Why.TOO_MANY else "")


FAMILY = XmlFamily(
    root="ExportRecordingResponse",
    versions=("1.0", "1.1", "1.2"),
    texts=TEXTS,
    location={"xsi:noNamespaceSchemaLocation": f"{SCHEMAS}exportrecording1.xsd"},
    read_error=_read_error,
)
_JOB_ID = re.compile("[0-9]{1,9}", re.ASCII)


class ExportCgis:
    """Serves them."""

    def __init__(self, exports: Exports, jobs: ExportJobs, audit: Audit) -> None:
        self._exports = exports
        self._jobs = jobs
        self._audit = audit
        self._noted: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        return (
            FAMILY.versions_endpoint(f"{PATH}schemaversions.cgi", Role.VIEWER),
            FAMILY.endpoint(f"{PATH}capabilities.cgi", self.capabilities, Role.VIEWER),
            FAMILY.endpoint(f"{PATH}properties.cgi", self.properties, Role.VIEWER),
            FAMILY.endpoint(f"{PATH}exportrecording.cgi", self.download, Role.VIEWER),
            FAMILY.endpoint(f"{PATH}exporttoexternal.cgi", self.to_external, Role.VIEWER),
            FAMILY.endpoint(f"{PATH}getjobstatus.cgi", self.job_status, Role.VIEWER),
        )

    async def capabilities(self, call: Call) -> ET.Element:
        """List the formats."""
        return element(
            "CapabilitiesSuccess",
            [
                element(
                    "ExportCapabilities",
                    [element("ExportEncryption", EncryptionFormat=ZIP)],
                    ExportFormat=name,
                )
                for name in FORMATS
            ],
        )

    async def properties(self, call: Call) -> ET.Element:
        """Tell what an export would be."""
        form = call.arguments.get("exportformat") or "matroska"
        encryption = call.arguments.get("encryptionformat", "")
        _check_encryption(encryption)
        order = _order(call, form)
        if None not in (order.start_us, order.stop_us) and order.start_us > order.stop_us:  # type: ignore[operator]
            raise XmlError(140)
        await self._exports.bounds(order)
        export = await self._exports.plan(order)
        told = {
            "RecordingId": call.arguments.get("recordingid", ""),
            "ExportFormat": form,
            "EncryptionFormat": encryption,
            "EstimatedFileSize": str(-(-export.estimated_bytes // 1024)),
            "Starttime": utc_text(export.start_us),
            "Stoptime": utc_text(export.stop_us),
        }
        if not encryption:
            del told["EncryptionFormat"]
        return element("PropertiesSuccess", [element("ExportProperties", **told)])

    async def download(self, call: Call) -> Reply:
        """Give a file, or a range of it."""
        order = _order(call, _given(call, "exportformat"), _password(call), _file_name(call))
        export = await self._exports.plan(order)
        headers = [("Content-Disposition", _disposition(export.file_name))]
        size_bytes = export.size_bytes
        if size_bytes is None:
            self._note(call, export, order, None)
            return Reply(self._exports.read(export), export.content_type, 200, tuple(headers))
        headers += [("Accept-Ranges", "bytes"), ("ETag", f'"{export.etag}"')]
        try:
            part = asked_range(call.headers, size_bytes, export.etag)
        except NotSatisfiable:
            whole = ("Content-Range", f"bytes */{size_bytes}")
            return Reply(b"", "text/plain; charset=utf-8", 416, (whole,))
        self._note(call, export, order, part)
        start, end = part or ByteRange(0, size_bytes)
        headers.append(("Content-Length", str(end - start)))
        if part is not None:
            headers.append(("Content-Range", part.content_range(size_bytes)))
        body = self._exports.read(export, start, end)
        status = 200 if part is None else 206
        return Reply(body, export.content_type, status, tuple(headers))

    async def to_external(self, call: Call) -> ET.Element:
        """Begin to put a file on the external disk."""
        disk, path = _given(call, "externaldiskid"), call.arguments.get("filepath", "")
        order = _order(call, _given(call, "exportformat"), _password(call))
        job = await self._jobs.begin(order, disk, path)
        target = f"{_words(order)} to {disk}: {job.path}"
        self._audit.note(call.account, call.address, "export", target)
        made = element("ExportToExternal", JobId=str(job.number), FilePath=job.path)
        return element("ExportToExternalSuccess", [made])

    async def job_status(self, call: Call) -> ET.Element:
        """Tell how far a job is."""
        text = _given(call, "jobid")
        job = self._jobs.find(int(text)) if _JOB_ID.fullmatch(text) else None
        if job is None:
            raise XmlError(190)
        if job.problem is not None:
            code = element("ErrorCode", "10")
            error = element("GeneralError", [code, element("ErrorDescription", job.problem)])
            return element("GetJobStatusSuccess", [error])
        status = "Done" if job.is_done else "In Progress"
        told = element("JobStatus", Status=status, Progress=str(job.percent))
        return element("GetJobStatusSuccess", [told])

    def _note(self, call: Call, export: Export, order: ExportOrder, part: ByteRange | None) -> None:
        """Note a download, once though it may come in parts."""
        key = (call.account, call.address, export.etag)
        if part is not None and part.start and key in self._noted:
            self._noted.move_to_end(key)
            return
        if export.etag:
            self._noted[key] = None
        if len(self._noted) > MAX_REMEMBERED:
            self._noted.popitem(last=False)
        times = f"from {utc_text(export.start_us)} to {utc_text(export.stop_us)}"
        target = f"{_words(order)} {times}"
        self._audit.note(call.account, call.address, "export", target)


def _given(call: Call, name: str) -> str:
    """Give an argument that there must be."""
    value = call.arguments.get(name, "").strip()
    if not value:
        raise XmlError(20, f"{name} is missing")
    return value


def _order(call: Call, form: str, password: str = "", name: str = "") -> ExportOrder:
    """Read what is wanted."""
    device = call.arguments.get("device", "").strip()
    if device and "recordingid" in call.arguments:
        raise XmlError(20, "either recordingid or device")
    if len(device) > MAX_DEVICE_CHARACTERS or not device.isprintable():
        raise XmlError(20, "device: too long, or with characters that cannot be shown")
    recordings: tuple[str, ...] = ()
    disk: str | None = call.arguments.get("diskid", "").strip() or None
    if not device:
        recordings = tuple(part.strip() for part in _given(call, "recordingid").split(","))
        disk = _given(call, "diskid")
        if len(recordings) > MAX_RECORDINGS or not all(recordings):
            raise XmlError(20, f"recordingid: 1 to {MAX_RECORDINGS} ids")
    if form not in FORMATS:
        raise XmlError(170)
    return ExportOrder(
        recording_ids=recordings,
        disk=disk,
        device=device,
        start_us=_time(call, "starttime", 120),
        stop_us=_time(call, "stoptime", 130),
        form=form,
        name=name,
        password=password,
        account=call.account,
    )


def _time(call: Call, name: str, code: int) -> int | None:
    text = call.arguments.get(name, "")
    if not text:
        return None
    try:
        return parse_time(text)
    except WireError as error:
        raise XmlError(code) from error


def _check_encryption(encryption: str) -> None:
    if encryption not in ("", ZIP):
        raise XmlError(250)


def _password(call: Call) -> str:
    """Give the password that a file is to be encrypted with; empty if it is not."""
    encryption = call.arguments.get("encryptionformat", "")
    password = call.arguments.get("password", "")
    _check_encryption(encryption)
    if encryption and not password:
        raise XmlError(260)
    if password and not encryption:
        raise XmlError(270)
    if len(password.encode()) > MAX_PASSWORD_BYTES or not password.isprintable():
        raise XmlError(240)
    return password


def _file_name(call: Call) -> str:
    """Give the name that a file is to have, empty for none; without what names may not hold."""
    name = call.arguments.get("filename", "").strip()
    if len(name.encode()) > MAX_NAME_BYTES or not name.isprintable():
        raise XmlError(20, "filename: too long, or with characters that cannot be shown")
    if name.strip(".") != name or re.search(r'[/\\"]', name):
        raise XmlError(20, "filename: a plain name was expected")
    return name


def _disposition(name: str) -> str:
    """Tell a file's name (RFC 6266 §4.1)."""
    if name.isascii():
        return f'attachment; filename="{name}"'
    plain = re.sub(r"[^\x20-\x7e]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _words(order: ExportOrder) -> str:
    what = (
        f"device {order.device}" if order.device else f"recording {','.join(order.recording_ids)}"
    )
    encrypted = " encrypted" if order.password else ""
    return f"{what} as {order.form}{encrypted}"
