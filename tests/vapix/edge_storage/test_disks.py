"""``disks/``: what is listed, what is begun and what comes of it, the lock."""

import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from axis_nvr.services.disk_jobs import MAX_JOBS, Action, DiskJob
from axis_nvr.services.recordings import Order
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.vapix.edge_storage.disks import DiskCgis
from tests.vapix.edge_storage.disk_serving import ABSENT, DiskServingTestCase

PATH = "/axis-cgi/disks/"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


class DiskCgiTestCase(DiskServingTestCase):
    def endpoints(self) -> tuple[Any, ...]:
        return DiskCgis(self.disks, self.house.audit).endpoints()

    def only(self, name: str, schema: str, user: str = "ann", **arguments: str) -> ET.Element:
        """The element in the root."""
        root = self.root(f"{PATH}{name}.cgi", user, **arguments)
        self.assertEqual(root.tag, "root")
        location = f"http://www.axis.com/vapix/http_cgi/disk/{schema}1.xsd"
        self.assertEqual(root.get(f"{XSI}noNamespaceSchemaLocation"), location)
        (child,) = root
        return child

    def listed(self, diskid: str = "all") -> list[dict[str, str]]:
        disks = self.only("list", "list", "otto", diskid=diskid)
        self.assertEqual(disks.get("numberofdisks"), str(len(disks)))
        return [dict(disk.attrib) for disk in disks]

    def hdd(self) -> dict[str, str]:
        (disk,) = self.listed("HDD_DISK")
        return disk

    def begin(self, name: str, diskid: str = "HDD_DISK", **more: str) -> str:
        """Begin a job; give its id."""
        job = self.only(name, "startjob", diskid=diskid, **more)
        self.assertEqual((job.tag, job.get("result")), ("job", "OK"), job.get("description"))
        self.assertEqual(set(job.attrib), {"action", "diskid", "result", "jobid"})
        return job.get("jobid") or ""

    def refused(self, name: str, diskid: str = "HDD_DISK", **more: str) -> str:
        """Why a job is not begun."""
        job = self.only(name, "startjob", diskid=diskid, **more)
        self.assertEqual((job.tag, job.get("result")), ("job", "ERROR"))
        self.assertEqual(set(job.attrib), {"action", "diskid", "result", "description"})
        return job.get("description") or ""

    def job(self, job_id: str, diskid: str = "HDD_DISK") -> tuple[str, str, str, str]:
        """Action, result, progress and description of a job."""
        job = self.only("job", "checkjob", "otto", jobid=job_id, diskid=diskid)
        self.assertEqual((job.get("jobid"), job.get("diskid")), (job_id, diskid))
        names = ("action", "result", "progress", "description")
        return tuple(job.attrib[name] for name in names)  # type: ignore[return-value]

    def lock(self, action: str, diskid: str = "HDD_DISK") -> dict[str, str]:
        element = self.only("lock", "lock", action=action, diskid=diskid)
        return {"element": element.tag, **element.attrib}


class ListTests(DiskCgiTestCase):
    def test_roles(self) -> None:
        """Operators look and check, administrators do the rest."""
        names = ("list", "checkdisk", "job", "getcapabilities", "gethealth")
        self.assert_roles(**{f"{PATH}{name}.cgi": "otto" for name in names})
        self.assert_roles(
            **{f"{PATH}{name}.cgi": "ann" for name in ("format", "repair", "mount", "lock")}
        )

    def test_methods(self) -> None:
        """GET and POST, the arguments in either; nothing else."""
        answered = self.ask(f"{PATH}list.cgi", "otto", method="POST", data={"diskid": "SD_DISK"})
        self.assertIn(b'diskid="SD_DISK"', answered.body)
        self.assertNotIn(b'diskid="HDD_DISK"', answered.body)
        self.assertEqual(self.ask(f"{PATH}list.cgi", "otto", method="DELETE").status, 405)

    def test_a_disk(self) -> None:
        """Every attribute, in the order of the specification; sizes are in kB of 1024 bytes."""
        hdd = self.hdd()
        total, free = int(hdd.pop("totalsize")), int(hdd.pop("freesize"))
        self.assertTrue(total > free > 0)
        space = self.folders["HDD_DISK"]
        self.assertEqual(total, self.statvfs_total(space) // 1024)
        self.assertEqual(
            hdd,
            {
                "diskid": "HDD_DISK",
                "name": "",
                "cleanuplevel": "95",
                "cleanupmaxage": "30",
                "cleanuppolicy": "fifo",
                "locked": "no",
                "full": "no",
                "readonly": "no",
                "filesystem": "ext4",
                "status": "OK",
                "group": "S0",
                "requiredfilesystem": "none",
                "diskencryptionenabled": "false",
                "diskencrypted": "false",
            },
        )

    def statvfs_total(self, folder: Path) -> int:
        status = os.statvfs(folder)
        return status.f_blocks * status.f_frsize

    def test_which(self) -> None:
        """All, some, none; no argument is all, and unknown ids are left out."""
        both = ["HDD_DISK", "SD_DISK"]
        for asked, expected in (
            ("all", both),
            ("SD_DISK", ["SD_DISK"]),
            ("SD_DISK,HDD_DISK", both),
            ("SD_DISK, USB_DISK,SD_DISK", ["SD_DISK"]),
            ("USB_DISK", []),
            ("", []),
            ("../HDD_DISK", []),
            ("x," * 1000, []),
        ):
            self.assertEqual([disk["diskid"] for disk in self.listed(asked)], expected, asked)
        self.assertEqual(len(self.root(f"{PATH}list.cgi")[0]), 2)
        self.assertEqual([disk["group"] for disk in self.listed()], ["S0", "S1"])

    def test_flags(self) -> None:
        """What a disk says of itself is a status or a flag."""
        for state, status, flag in (
            (DiskState.FULL, "OK", "full"),
            (DiskState.READ_ONLY, "OK", "readonly"),
            (DiskState.FAILED, "failed", ""),
            (DiskState.LOCKED, "connected", "locked"),
        ):
            with capturedLogs():
                self.made["HDD_DISK"].say(state, "so it is")
            hdd = self.hdd()
            flags = [name for name in ("full", "readonly", "locked") if hdd[name] == "yes"]
            self.assertEqual((hdd["status"], flags), (status, [flag] if flag else []))

    def test_no_disk_there(self) -> None:
        """One that is gone has no size and no file system, mounted or not."""
        with capturedLogs():
            self.made["HDD_DISK"].say(DiskState.ABSENT, "gone")
        for step in ("mounted", "unmounted"):
            hdd = self.hdd()
            told = [hdd[n] for n in ("status", "totalsize", "freesize", "filesystem")]
            self.assertEqual(told, ["disconnected", "0", "0", ""], step)
            self.mount("unmount")
            self.assertEqual(self.hdd()["status"], "connected" if step == "mounted" else told[0])
            if step == "mounted":
                self.folders["HDD_DISK"].rename(self.folders["HDD_DISK"].with_name("away"))
        self.assertEqual(self.listed("SD_DISK")[0]["status"], "OK")

    def test_capabilities(self) -> None:
        """What can be done with a disk; of one that there is none of, nothing."""
        for disk_id, encryption in (("HDD_DISK", "false"), ("SD_DISK", "true")):
            disk = self.only("getcapabilities", "capabilities", "otto", diskid=disk_id)
            self.assertEqual(
                disk.attrib,
                {
                    "diskid": disk_id,
                    "requiredfssupported": "false",
                    "encryptionsupported": encryption,
                },
            )
            ((system,),) = disk
            self.assertEqual(
                system.attrib, {"name": "ext4", "nicename": " ", "requiredfssupported": "false"}
            )
        for disk_id in ("", "USB_DISK", "all"):
            self.assertEqual(len(self.root(f"{PATH}getcapabilities.cgi", diskid=disk_id)), 0)

    def test_health(self) -> None:
        """Nobody knows how worn a disk is; of one that is not there that is told."""
        with capturedLogs():
            self.made["SD_DISK"].say(DiskState.ABSENT, "gone")
        root = self.root(f"{PATH}gethealth.cgi", "otto")
        self.assertEqual((root.tag, root.get("SchemaVersion")), ("HealthStatusResponse", None))
        (success,) = root
        self.assertEqual(success.tag, "HealthStatusSuccess")
        self.assertEqual(
            [dict(disk.attrib) for disk in success],
            [
                {"diskid": name, "wear": value, "temperature": value, "overallhealth": value}
                for name, value in (("HDD_DISK", "-1"), ("SD_DISK", "-3"))
            ],
        )


class JobTests(DiskCgiTestCase):
    def test_unmounted_and_mounted(self) -> None:
        """The recorder lets go of the disk and takes it again; the list shows it."""
        job = self.begin("mount", action="unmount")
        self.assertEqual(self.job(job), ("unmount", "OK", "100", "unmounted"))
        self.assertEqual(self.log[-1], "HDD_DISK stopped")
        self.assertEqual(self.hdd()["status"], "connected")
        self.assertNotEqual(self.hdd()["totalsize"], "0")
        job = self.begin("mount", action="mount")
        self.assertEqual(self.job(job), ("mount", "OK", "100", "mounted"))
        self.assertEqual((self.log[-1], self.hdd()["status"]), ("HDD_DISK started", "OK"))

    def test_a_job_that_runs(self) -> None:
        """Until the disk has come to its end the job is under way, and no other is begun."""
        self.made["HDD_DISK"].stopping = stopping = Deferred[None]()
        job = self.begin("mount", action="unmount")
        self.assertEqual(self.job(job)[:3], ("unmount", "OK", "0"))
        for name in ("format", "checkdisk", "repair"):
            self.assertIn("already", self.refused(name))
        self.assertIn("already", self.refused("mount", action="mount"))
        self.assertIn("already", self.lock("lock")["description"])
        self.begin("format", "SD_DISK")
        stopping.callback(None)
        self.assertEqual(self.job(job)[1:3], ("OK", "100"))

    def test_a_disk_that_hangs(self) -> None:
        """A disk that does not come to an end fails the job, and is let go of when it does."""
        self.made["HDD_DISK"].stopping = stopping = Deferred[None]()
        job = self.begin("mount", action="unmount")
        self.clock.advance(60)
        action, result, progress, words = self.job(job)
        self.assertEqual((action, result, progress), ("unmount", "ERROR", "100"))
        self.assertIn("does not come to an end", words)
        stopping.callback(None)
        self.assertEqual(self.hdd()["status"], "connected")

    def test_cannot_be_mounted(self) -> None:
        """Why is told by the job, and the status by the list."""
        self.mount("unmount")
        self.fault = ABSENT
        with capturedLogs():
            job = self.begin("mount", action="mount")
        self.assertEqual(self.job(job)[:3], ("mount", "ERROR", "100"))
        self.assertIn("it is not there", self.job(job)[3])
        self.assertEqual(self.hdd()["status"], "disconnected")

    def test_formatted(self) -> None:
        """All recordings are gone, and the disk is mounted again."""
        self.assertEqual(len(self.media()), 1)
        job = self.begin("format", filesystem="ext4")
        self.assertEqual(self.job(job), ("format", "OK", "100", "4 files removed"))
        names = [path.name for path in self.folders["HDD_DISK"].iterdir()]
        self.assertEqual(names, [".axis_nvr.lock"])
        self.assertEqual(self.hdd()["status"], "OK")
        self.assertEqual(self.log[-2:], ["HDD_DISK stopped", "HDD_DISK started"])

    def test_formatted_while_unmounted(self) -> None:
        """It stays as it was; what is not the recorder's stays too, and is told."""
        (self.folders["HDD_DISK"] / "20240506" / "mine.txt").write_bytes(b"mine")
        self.mount("unmount")
        job = self.begin("format")
        self.assertIn("not the recorder's: 1 thing", self.job(job)[3])
        self.assertEqual(self.hdd()["status"], "connected")
        self.assertEqual(self.log[-1], "HDD_DISK stopped")
        self.assertTrue((self.folders["HDD_DISK"] / "20240506" / "mine.txt").exists())

    def test_format_fails(self) -> None:
        """What is no disk is not formatted; the disk is then as it was before."""
        (self.folders["HDD_DISK"] / ".axis_nvr.lock").unlink()
        (self.folders["HDD_DISK"] / "index.db").unlink()
        job = self.begin("format")
        self.assertEqual(self.job(job)[:3], ("format", "ERROR", "100"))
        self.assertEqual(len(self.media()), 1)
        self.assertEqual(self.log[-2:], ["HDD_DISK stopped", "HDD_DISK started"])

    def test_what_is_not_formatted(self) -> None:
        """A locked disk, another file system than it has, or one that nobody knows."""
        self.assertIn("vfat is not made", self.refused("format", filesystem="vfat"))
        self.assertIn("ext4, vfat, cifs", self.refused("format", filesystem="ntfs"))
        self.lock("lock")
        self.assertIn("locked", self.refused("format"))
        self.assertIn("locked", self.refused("repair"))
        self.mount("unmount")
        self.assertIn("locked", self.refused("format"))
        self.assertEqual(len(self.media()), 1)

    def test_checked_and_repaired(self) -> None:
        """Only while unmounted; damage is found, mended, and found no more."""
        for name in ("checkdisk", "repair"):
            self.assertIn("mounted", self.refused(name))
        self.mount("unmount")
        job = self.begin("checkdisk")
        self.assertEqual(self.job(job), ("checkdisk", "OK", "100", "all well"))
        (block,) = self.folders["HDD_DISK"].rglob("*.mkv")
        block.with_suffix(".xml").unlink()
        action, result, progress, words = self.job(self.begin("checkdisk"))
        self.assertEqual((action, result, progress), ("checkdisk", "ERROR", "100"))
        self.assertIn("xml-missing", words)
        self.assertFalse(block.with_suffix(".xml").exists())
        job = self.begin("repair")
        self.assertEqual(self.job(job), ("repair", "OK", "100", "1 thing mended"))
        self.assertEqual(self.job(self.begin("checkdisk"))[3], "all well")
        self.assertEqual(self.hdd()["status"], "connected")

    def test_mistakes(self) -> None:
        """No such disk, no such action: told; nothing is begun."""
        for disk_id in ("", "USB_DISK", "all", "../..", "x" * 3000, "\x01"):
            for name in ("format", "checkdisk", "repair"):
                self.assertIn("no disk", self.root_job(name, diskid=disk_id))
            self.assertIn("no disk", self.root_job("mount", diskid=disk_id, action="unmount"))
        for action in ("", "remount", "format"):
            self.assertIn("mount or unmount", self.refused("mount", action=action))
        self.assertEqual(self.log.count("HDD_DISK stopped"), 0)

    def root_job(self, name: str, **arguments: str) -> str:
        job = self.only(name, "startjob", **arguments)
        self.assertEqual(job.get("result"), "ERROR")
        return job.get("description") or ""

    def test_no_such_job(self) -> None:
        """Numbers that are none, and those of another disk."""
        job = self.begin("mount", action="unmount")
        for job_id, disk_id in (
            (job, "SD_DISK"),
            ("99", "HDD_DISK"),
            ("", "HDD_DISK"),
            ("-1", "HDD_DISK"),
            ("1" * 40, "HDD_DISK"),
            ("\u0661", "HDD_DISK"),
            (job, ""),
        ):
            self.assertEqual(self.job(job_id, disk_id)[:3], ("N/A", "ERROR", "100"), job_id)

    def test_old_jobs_are_forgotten(self) -> None:
        """A bounded number is remembered, and one that runs is."""
        waiting = Deferred[str]()

        async def long(job: DiskJob) -> str:
            return await waiting

        async def short(job: DiskJob) -> str:
            return "done"

        running = self.disks.jobs.begin("SD_DISK", Action.CHECK, long)
        for _ in range(MAX_JOBS + 10):
            last = self.disks.jobs.begin("HDD_DISK", Action.MOUNT, short)
        self.assertEqual(self.job(str(running.id), "SD_DISK")[:3], ("checkdisk", "OK", "0"))
        self.assertEqual(self.job(str(last.id))[3], "done")
        self.assertEqual(self.job("2")[0], "N/A")
        waiting.callback("well")

    def test_a_bug(self) -> None:
        """What nobody expected goes to the log, and the job has failed."""

        async def broken(job: DiskJob) -> str:
            raise ZeroDivisionError

        job = self.disks.jobs.begin("HDD_DISK", Action.FORMAT, broken)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.job(str(job.id))[:3], ("format", "ERROR", "100"))
        self.begin("mount", action="unmount")

    def test_the_recorder_ends(self) -> None:
        """Work in the middle is given up, and nothing new is begun."""
        self.mount("unmount")

        def steps() -> Any:
            yield 0.25
            self.disks.jobs.stopService()
            yield 0.5
            self.fail("it went on")

        async def work(job: DiskJob) -> str:
            await self.disks.jobs.go_through(job, steps())
            return "done"

        job = self.disks.jobs.begin("HDD_DISK", Action.CHECK, work)
        self.assertEqual(self.job(str(job.id))[:3], ("checkdisk", "ERROR", "100"))
        self.assertIn("the recorder ends", job.description)
        self.assertIn("about to end", self.refused("checkdisk"))
        self.successResultOf(self.disks.jobs.stopService())

    def test_audited(self) -> None:
        """Who asked for what, and what was answered."""
        self.begin("format")
        self.refused("checkdisk")
        self.lock("lock")
        self.assertEqual(
            self.audited(),
            [
                "change format disk HDD_DISK: begun",
                "change checkdisk disk HDD_DISK: the disk is mounted",
                "change lock disk HDD_DISK: ok",
            ],
        )


class LockTests(DiskCgiTestCase):
    def test_locked_and_unlocked(self) -> None:
        """Nothing of it is open while it is locked; it shows, and is mounted all the same."""
        ok = {"diskid": "HDD_DISK", "result": "OK"}
        for _ in range(2):
            self.assertEqual(self.lock("lock"), {"element": "lock", **ok})
            self.assertEqual((self.hdd()["status"], self.hdd()["locked"]), ("OK", "yes"))
        self.assertEqual(self.log.count("HDD_DISK stopped"), 1)
        self.assertEqual(self.listed("SD_DISK")[0]["locked"], "no")
        for _ in range(2):
            self.assertEqual(self.lock("unlock"), {"element": "unlock", **ok})
            self.assertEqual((self.hdd()["status"], self.hdd()["locked"]), ("OK", "no"))
        self.assertEqual(self.log.count("HDD_DISK started"), 2)

    def test_after_a_restart(self) -> None:
        """A disk that was locked is not opened by the next start."""
        self.lock("lock")
        self.log.clear()
        self.restart()
        self.assertEqual(self.log, ["SD_DISK started"])
        self.assertEqual((self.hdd()["status"], self.hdd()["locked"]), ("OK", "yes"))
        self.lock("unlock")
        self.assertIn("HDD_DISK started", self.log)
        self.restart()
        self.assertEqual(self.hdd()["locked"], "no")

    def test_recordings(self) -> None:
        """What somebody began ends for good; what is continuous or by rule goes on afterwards."""
        manual = Order("HDD_DISK", "device=front", "triggered", "manual", "manual")
        self.recordings.begin(Order("HDD_DISK", "device=front"))
        self.recordings.begin(manual)
        by_rule = self.recordings.begin(manual, goes_on=True)
        self.recordings.begin(Order("SD_DISK", "device=front", "triggered", "manual", "manual"))
        self.lock("lock")
        kinds = [(run.order.disk, run.order.trigger_type) for run in self.recordings.runs]
        triggered = [(disk, "triggered") for disk in ("HDD_DISK", "SD_DISK")]
        self.assertEqual(kinds, [("HDD_DISK", "continuous"), *triggered])
        self.assertIn(by_rule, self.recordings.runs)
        refused = self.failureResultOf(Deferred.fromCoroutine(self.recordings.record(manual)))
        self.assertIn("the disk is locked", refused.getErrorMessage())
        self.assertEqual(len(self.recordings.runs), 3)

    def test_nothing_is_begun_meanwhile(self) -> None:
        """While a lock is being kept no format begins that would then go on beside it."""
        keeping: Deferred[None] = Deferred()
        change = self.settings.change

        async def slow(disk_id: str, **values: Any) -> None:
            await keeping
            await change(disk_id, **values)

        self.patch(self.settings, "change", slow)
        locked = Deferred.fromCoroutine(self.disks.lock("HDD_DISK"))
        self.assertIn("already", self.refused("format"))
        keeping.callback(None)
        self.successResultOf(locked)
        self.assertIn("locked", self.refused("format"))

    def test_a_disk_that_hangs(self) -> None:
        """It is told that it does not come to an end; then it is locked."""
        self.made["HDD_DISK"].stopping = stopping = Deferred[None]()
        answering = self.disks.lock("HDD_DISK")
        answered = Deferred.fromCoroutine(answering)
        self.assertNoResult(answered)
        self.clock.advance(60)
        self.assertIn("to an end", self.failureResultOf(answered).getErrorMessage())
        stopping.callback(None)
        self.assertEqual(self.hdd()["locked"], "yes")

    def test_mistakes(self) -> None:
        """No such disk, no such action; nothing is locked."""
        for disk_id in ("", "USB_DISK", "all"):
            for action in ("lock", "unlock"):
                told = self.lock(action, disk_id)
                self.assertEqual((told["element"], told["result"]), (action, "ERROR"))
                self.assertIn("no disk", told["description"])
        for action in ("", "LOCK", "open"):
            told = self.lock(action)
            self.assertEqual((told["element"], told["result"]), ("lock", "ERROR"))
        self.assertEqual(self.hdd()["locked"], "no")

    def test_not_kept(self) -> None:
        """A lock that would not survive a restart is no lock."""
        self.house.database.close()
        told = Deferred.fromCoroutine(self.disks.lock("HDD_DISK"))
        self.failureResultOf(told)
        self.assertTrue(self.keepers["HDD_DISK"].is_mounted)
        self.assertEqual(self.keepers["HDD_DISK"].holds, set())
