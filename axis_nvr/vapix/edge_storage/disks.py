"""``disks/``: the disks listed, worked on, locked; what they can and how worn they are."""

from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.disk_facts import OTHER_FILE_SYSTEM
from axis_nvr.services.disk_jobs import Action
from axis_nvr.services.disk_settings import NoDisk
from axis_nvr.services.disk_work import DiskRefused
from axis_nvr.services.disks import Disks, DiskView
from axis_nvr.vapix.call import Answer, Call, Endpoint, Reply
from axis_nvr.vapix.xml_cgi import SCHEMAS, XSI, document, element, old_style

#: Ids in one list.
MAX_IDS = 100
FILE_SYSTEMS = ("ext4", "vfat", "cifs")
#: What ``gethealth.cgi`` tells of a value: that nobody can read it, and that no disk is there.
UNSUPPORTED, NOT_THERE = "-1", "-3"
_PATH = "/axis-cgi/disks/"


class DiskCgis:
    """Serves them."""

    def __init__(self, disks: Disks, audit: Audit) -> None:
        self._disks = disks
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        return (
            Endpoint(f"{_PATH}list.cgi", self.list, Role.OPERATOR),
            Endpoint(f"{_PATH}format.cgi", self.format, Role.ADMIN),
            Endpoint(f"{_PATH}checkdisk.cgi", self._starts(Action.CHECK), Role.OPERATOR),
            Endpoint(f"{_PATH}repair.cgi", self._starts(Action.REPAIR), Role.ADMIN),
            Endpoint(f"{_PATH}mount.cgi", self.mount, Role.ADMIN),
            Endpoint(f"{_PATH}job.cgi", self.job, Role.OPERATOR),
            Endpoint(f"{_PATH}lock.cgi", self.lock, Role.ADMIN),
            Endpoint(f"{_PATH}getcapabilities.cgi", self.capabilities, Role.OPERATOR),
            Endpoint(f"{_PATH}gethealth.cgi", self.health, Role.OPERATOR),
        )

    async def list(self, call: Call) -> Reply:
        """List disks: all, or some by their ids; those that are none are left out."""
        asked = call.arguments.get("diskid", "all").strip()
        ids = self._disks.ids
        if asked != "all":
            wanted = [name.strip() for name in asked.split(",", MAX_IDS)]
            ids = tuple(disk_id for disk_id in ids if disk_id in wanted)
        found = [self._described(await self._disks.view(disk_id)) for disk_id in ids]
        disks = element("disks", found, numberofdisks=str(len(found)))
        return old_style("disk/list1.xsd", disks)

    def _described(self, disk: DiskView) -> ET.Element:
        return element(
            "disk",
            diskid=disk.disk_id,
            name="",
            totalsize=str(disk.total_bytes // 1024),
            freesize=str(disk.free_bytes // 1024),
            cleanuplevel=str(disk.level_percent),
            cleanupmaxage=str(disk.max_age_days),
            cleanuppolicy=disk.cleanup,
            locked=_yes(disk.is_locked),
            full=_yes(disk.is_full),
            readonly=_yes(disk.is_read_only),
            filesystem=disk.file_system,
            status=disk.status,
            group=f"S{self._disks.ids.index(disk.disk_id)}",
            requiredfilesystem="none",
            diskencryptionenabled=_true(disk.encryption_enabled),
            diskencrypted=_true(disk.is_encrypted),
        )

    # Jobs.

    async def format(self, call: Call) -> Reply:
        """Begin to remove everything from a disk."""
        asked = call.arguments.get("filesystem", "")
        try:
            if asked:
                await self._check_file_system(_disk_id(call), asked)
        except NvrError as error:
            return self._not_started(call, Action.FORMAT, error)
        return self._start(call, Action.FORMAT)

    async def _check_file_system(self, disk_id: str, asked: str) -> None:
        """Refuse a file system that would have to be made: a disk stays on the one it has."""
        if asked not in FILE_SYSTEMS:
            raise DiskRefused(f"filesystem: one of {', '.join(FILE_SYSTEMS)} was expected")
        present = (await self._disks.view(disk_id)).file_system
        if asked != (present or OTHER_FILE_SYSTEM):
            raise DiskRefused(f"filesystem: the disk has {present}, and {asked} is not made on it")

    async def mount(self, call: Call) -> Reply:
        """Begin to use a disk, or to let go of it."""
        asked = call.arguments.get("action", "")
        if asked not in ("mount", "unmount"):
            error = DiskRefused("action: mount or unmount was expected")
            return self._not_started(call, Action.MOUNT, error)
        return self._start(call, Action(asked))

    def _starts(self, action: Action) -> Answer:
        async def answer(call: Call) -> Reply:
            return self._start(call, action)

        return answer

    def _start(self, call: Call, action: Action) -> Reply:
        disk_id = _disk_id(call)
        try:
            job = self._disks.begin(action, disk_id)
        except NvrError as error:
            return self._not_started(call, action, error)
        self._note(call, f"{action.value} disk {disk_id}", "begun")
        started = element(
            "job", action=action.value, diskid=disk_id, result="OK", jobid=str(job.id)
        )
        return old_style("disk/startjob1.xsd", started)

    def _not_started(self, call: Call, action: Action, error: NvrError) -> Reply:
        disk_id = _disk_id(call)
        self._note(call, f"{action.value} disk {disk_id}", str(error))
        refused = element(
            "job", action=action.value, diskid=disk_id, result="ERROR", description=str(error)
        )
        return old_style("disk/startjob1.xsd", refused)

    async def job(self, call: Call) -> Reply:
        """Tell how far a job is, or what came of it."""
        job_id, disk_id = call.arguments.get("jobid", "").strip(), _disk_id(call)
        is_number = job_id.isascii() and job_id.isdecimal() and len(job_id) < 10
        job = self._disks.jobs.find(int(job_id), disk_id) if is_number else None
        if job is None:
            action, result, progress, words = "N/A", "ERROR", 100, "there is no such job"
        else:
            result = "ERROR" if job.has_failed else "OK"
            action, progress, words = job.action.value, job.progress, job.description
        told = element(
            "job",
            jobid=job_id,
            diskid=disk_id,
            action=action,
            result=result,
            progress=str(progress),
            description=words,
        )
        return old_style("disk/checkjob1.xsd", told)

    # The lock.

    async def lock(self, call: Call) -> Reply:
        """Lock a disk, or unlock it; answered when nothing is written to it any more."""
        asked, disk_id = call.arguments.get("action", ""), _disk_id(call)
        name = "unlock" if asked == "unlock" else "lock"
        try:
            if asked != name:
                raise DiskRefused("action: lock or unlock was expected")
            await (self._disks.lock if name == "lock" else self._disks.unlock)(disk_id)
        except NvrError as error:
            self._note(call, f"{name} disk {disk_id}", str(error))
            failed = element(name, diskid=disk_id, result="ERROR", description=str(error))
            return old_style("disk/lock1.xsd", failed)
        self._note(call, f"{name} disk {disk_id}", "ok")
        return old_style("disk/lock1.xsd", element(name, diskid=disk_id, result="OK"))

    # What a disk is like.

    async def capabilities(self, call: Call) -> Reply:
        """Tell what can be done with a disk; nothing of one that there is none of."""
        schema = "disk/capabilities1.xsd"
        try:
            disk = await self._disks.view(_disk_id(call))
        except NoDisk:
            return old_style(schema)
        present = element(
            "filesystem",
            name=disk.file_system or OTHER_FILE_SYSTEM,
            nicename=" ",
            requiredfssupported="false",
        )
        capabilities = element(
            "disk",
            [element("filesystems", [present])],
            diskid=disk.disk_id,
            requiredfssupported="false",
            encryptionsupported=_true(disk.can_be_encrypted),
        )
        return old_style(schema, capabilities)

    async def health(self, call: Call) -> Reply:
        """Tell how worn the disks are: that it is not known, as for all but cards of Axis."""
        found = []
        for disk_id in self._disks.ids:
            is_there = (await self._disks.view(disk_id)).status != "disconnected"
            value = UNSUPPORTED if is_there else NOT_THERE
            values = dict.fromkeys(("wear", "temperature", "overallhealth"), value)
            found.append(element("HealthStatus", diskid=disk_id, **values))
        root = ET.Element(
            "HealthStatusResponse",
            {
                "xmlns:xsi": XSI,
                "xsi:noNamespaceSchemaLocation": f"{SCHEMAS}disk/gethealth1.xsd",
            },
        )
        root.append(element("HealthStatusSuccess", found))
        return document(root)

    def _note(self, call: Call, target: str, outcome: str) -> None:
        self._audit.note(call.account, call.address, "change", target, outcome)


def _disk_id(call: Call) -> str:
    return call.arguments.get("diskid", "").strip()


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _true(value: bool) -> str:
    return "true" if value else "false"
