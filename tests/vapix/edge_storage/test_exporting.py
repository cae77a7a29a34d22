"""``record/export/``: what is given, and what is refused."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from twisted.internet.defer import Deferred

from axis_nvr.services.certificate import export_certificate
from axis_nvr.services.export.jobs import ExportJobs
from axis_nvr.services.export.order import ExportOrder
from axis_nvr.services.export_seal import Sealer, verify
from axis_nvr.services.exporting import Exports, Maker
from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.storage.files import Files
from axis_nvr.storage.reading import parts
from axis_nvr.vapix.edge_storage.exporting import PATH, TEXTS, ExportCgis
from tests.services.shelves import Shelves
from tests.storage.making import START_US
from tests.storage.reading.streams import SECOND, Drawn, make_stream
from tests.vapix.serving import Answered, ServingTestCase

NOBODYS = "20240506_070809_FFFF_ACCC8E012345"


class ExportTests(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.shelves = Shelves(self.mktemp())
        self.shelves.open()
        self.addCleanup(self.shelves.close)
        self.usb = Path(self.mktemp())
        sealer = Sealer(export_certificate(self.house.state, "ACCC8E012345"))
        maker = Maker("axis_nvr test", "ACCC8E012345", lambda: sealer)
        library = self.shelves.library
        self.exports = Exports(Files(), library, maker, lambda: self.house.utc)
        jobs = ExportJobs(Files(), self.exports, {"USB_DISK": self.usb})
        self.serve(*ExportCgis(self.exports, jobs, self.house.audit).endpoints())
        self.names = [
            self.record("HDD_DISK", make_stream([Drawn(5)] * 10)),
            self.record("SD_DISK", make_stream([Drawn(5)] * 3, START_US + 60 * SECOND)),
        ]

    def record(self, disk: str, gops: Any) -> str:
        bench = self.shelves.disks[disk].bench
        writer = bench.open(start_us=gops[0].units[0].utc_us)
        bench.write(writer, *gops)
        bench.close(writer)
        return writer.recording_id

    def get(self, cgi: str, headers: dict[str, str] | None = None, /, **arguments: str) -> Answered:
        path = f"{PATH}{cgi}?{urlencode(arguments)}" if arguments else f"{PATH}{cgi}"
        first = self.send(path)
        authenticator = Authenticator(Credentials("vera", "pass-vera"))
        authenticator.challenge(first.headers["www-authenticate"])
        proof = {"Authorization": authenticator.authorization("GET", path)}
        return self.send(path, headers={**proof, **(headers or {})})

    def export(self, headers: dict[str, str] | None = None, /, **more: str) -> Answered:
        arguments = {
            "schemaversion": "1",
            "recordingid": self.names[0],
            "diskid": "HDD_DISK",
            "exportformat": "matroska",
            **more,
        }
        kept = {name: value for name, value in arguments.items() if value != "-"}
        return self.get("exportrecording.cgi", headers, **kept)

    def xml(self, answered: Answered) -> ET.Element:
        self.assertEqual((answered.status, answered.header("content-type")[:8]), (200, "text/xml"))
        root = ET.fromstring(answered.text)
        self.assertEqual((root.tag, root.get("SchemaVersion")), ("ExportRecordingResponse", "1.2"))
        (child,) = root
        return child

    def code(self, answered: Answered) -> int:
        error = self.xml(answered)
        self.assertEqual(error.tag, "GeneralError")
        code = int(error.findtext("ErrorCode") or "")
        self.assertIn(code, TEXTS)
        self.assertTrue(error.findtext("ErrorDescription"))
        return code

    # What is told.

    def test_schema_versions(self) -> None:
        """All minor versions are listed, oldest first."""
        listed = self.xml(self.get("schemaversions.cgi"))
        self.assertEqual([one.findtext("VersionNumber") for one in listed], ["1.0", "1.1", "1.2"])

    def test_capabilities(self) -> None:
        """Matroska first, as devices have it, then MP4; both encrypted on demand."""
        listed = self.xml(self.get("capabilities.cgi", schemaversion="1"))
        told = [(one.get("ExportFormat"), one[0].get("EncryptionFormat")) for one in listed]
        self.assertEqual(told, [("matroska", "zip-aes256"), ("mp4", "zip-aes256")])

    def properties(self, **more: str) -> Answered:
        arguments = {"schemaversion": "1", "recordingid": self.names[0], "diskid": "HDD_DISK"}
        return self.get("properties.cgi", **{**arguments, **more})

    def test_properties(self) -> None:
        """Where an export would begin, and about how large it would be."""
        told = self.xml(self.properties(starttime="2024-05-06T07:08:09.3Z"))[0]
        self.assertEqual(list(told.attrib), [
            "RecordingId", "ExportFormat", "EstimatedFileSize", "Starttime", "Stoptime",
        ])  # fmt: skip
        self.assertEqual(told.get("Starttime"), "2024-05-06T07:08:09.212345Z")
        size = len(self.export(starttime="2024-05-06T07:08:09.3Z").body)
        self.assertEqual(told.get("EstimatedFileSize"), str(-(-size // 1024)))
        encrypted = self.xml(self.properties(encryptionformat="zip-aes256"))[0]
        self.assertEqual(encrypted.get("EncryptionFormat"), "zip-aes256")

    def test_errors_of_properties(self) -> None:
        """Each error has its code."""
        for arguments, code in (
            ({"recordingid": NOBODYS}, 110),
            ({"recordingid": "../../etc/passwd"}, 110),
            ({"diskid": "SD_DISK"}, 110),
            ({"diskid": "NO_DISK"}, 110),
            ({"recordingid": ""}, 20),
            ({"diskid": ""}, 20),
            ({"starttime": "yesterday"}, 120),
            ({"stoptime": "2024-05-06"}, 130),
            ({"starttime": "2024-05-06T07:08:11Z", "stoptime": "2024-05-06T07:08:10Z"}, 140),
            ({"starttime": "2024-05-06T07:09:00Z"}, 150),
            ({"stoptime": "2024-05-06T07:08:00Z"}, 160),
            ({"exportformat": "avi"}, 170),
            ({"encryptionformat": "rot13"}, 250),
            ({"schemaversion": "2"}, 40),
        ):
            self.assertEqual(self.code(self.properties(**arguments)), code, arguments)

    # Downloads.

    def test_download(self) -> None:
        """A Matroska file, of known length, under the name of its times."""
        answered = self.export()
        self.assertEqual(answered.status, 200)
        self.assertEqual(answered.header("content-type"), "video/x-matroska")
        self.assertEqual(
            answered.header("content-disposition"),
            'attachment; filename="20240506_070809_20240506_070811.mkv"',
        )
        self.assertTrue(answered.body.startswith(b"\x1a\x45\xdf\xa3"))
        self.assertEqual(self.exports.active, 0)

    def test_names(self) -> None:
        """A name is taken as it is; one that could lead astray is refused."""
        header = "content-disposition"
        self.assertEqual(
            self.export(filename="a b").header(header), 'attachment; filename="a b.mkv"'
        )
        self.assertEqual(
            self.export(filename="Straße").header(header),
            "attachment; filename=\"Stra_e.mkv\"; filename*=UTF-8''Stra%C3%9Fe.mkv",
        )
        for name in ('a"b', "../a", "a\nb", "a\0b", "x" * 300, "a\\b"):
            self.assertEqual(self.code(self.export(filename=name)), 20, name)

    def test_errors(self) -> None:
        """Each error has its code, and nothing is given."""
        for arguments, code in (
            ({"recordingid": NOBODYS}, 110),
            ({"recordingid": "-"}, 20),
            ({"recordingid": "a,,b"}, 20),
            ({"diskid": "-"}, 20),
            ({"exportformat": "-"}, 20),
            ({"exportformat": "avi"}, 170),
            ({"starttime": "x"}, 120),
            ({"stoptime": "x"}, 130),
            ({"password": "secret"}, 270),
            ({"encryptionformat": "zip-aes256"}, 260),
            ({"encryptionformat": "rot13", "password": "secret"}, 250),
            ({"encryptionformat": "zip-aes256", "password": "x" * 513}, 240),
            ({"encryptionformat": "zip-aes256", "password": "a\nb"}, 240),
            ({"device": "front"}, 20),
            ({"schemaversion": "x"}, 40),
        ):
            self.assertEqual(self.code(self.export(**arguments)), code, arguments)

    def test_times_outside(self) -> None:
        """Times outside of the recording give what is nearest, not an error."""
        for start, stop in (
            ("2000-01-01T00:00:00Z", "2000-01-02T00:00:00Z"),
            ("2030-01-01T00:00:00Z", ""),
        ):
            answered = self.export(starttime=start, stoptime=stop)
            self.assertEqual(answered.header("content-type"), "video/x-matroska")

    def test_too_long(self) -> None:
        """What is too long for one file is refused, not cut off without a word."""
        gops = make_stream([Drawn(5), Drawn(5, pause_us=400 * SECOND)], START_US + 3600 * SECOND)
        name = self.record("HDD_DISK", gops)
        self.patch(parts, "MAX_PARTS", 1)
        answered = self.export(recordingid=name)
        self.assertEqual(self.code(answered), 220)
        self.assertIn("shorter time", answered.text)
        begin = self.export(recordingid=name, stoptime="2024-05-06T08:10:00Z")
        self.assertEqual(begin.header("content-type"), "video/x-matroska")

    def test_ranges(self) -> None:
        """Any range of a file, as long as it is the same file."""
        whole = self.export()
        etag, size = whole.header("etag"), len(whole.body)
        self.assertRegex(etag, '^"[0-9a-f]{32}"$')
        for asked, start, end in (
            ("bytes=0-99", 0, 100),
            ("bytes=100-", 100, size),
            ("bytes=-7", size - 7, size),
            (f"bytes=5-{size + 9}", 5, size),
        ):
            part = self.export({"Range": asked, "If-Range": etag})
            self.assertEqual(part.status, 206)
            self.assertEqual(part.body, whole.body[start:end])
            self.assertEqual(part.header("content-range"), f"bytes {start}-{end - 1}/{size}")
            self.assertEqual(part.header("etag"), etag)
        for headers in (
            {"Range": "bytes=0-9", "If-Range": '"other"'},
            {"Range": "bytes=0-9,20-29"},
            {"Range": "lines=0-9"},
            {"Range": "bytes=9-0"},
            {"Range": "bytes=-"},
        ):
            self.assertEqual(self.export(headers).body, whole.body, headers)
        beyond = self.export({"Range": f"bytes={size}-"})
        self.assertEqual((beyond.status, beyond.header("content-range")), (416, f"bytes */{size}"))

    def test_head(self) -> None:
        """The length and the name are told without the file."""
        answered = self.export()
        path = f"{PATH}exportrecording.cgi?schemaversion=1&recordingid={self.names[0]}"
        head = self.ask(f"{path}&diskid=HDD_DISK&exportformat=matroska", "vera", method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.header("content-length"), str(len(answered.body)))
        self.assertEqual(self.exports.active, 0)

    def test_several_recordings(self) -> None:
        """Recordings of one export, on one disk and in order of time; or all of a device."""
        other = self.record("HDD_DISK", make_stream([Drawn(5)] * 2, START_US + 30 * SECOND))
        both = self.export(recordingid=f"{other},{self.names[0]}")
        self.assertIn("070809_20240506_070839", both.header("content-disposition"))
        arguments = {"schemaversion": "1", "exportformat": "matroska", "device": "front"}
        all_of_it = self.get("exportrecording.cgi", **arguments)
        self.assertIn("070809_20240506_070909", all_of_it.header("content-disposition"))
        later = self.get("exportrecording.cgi", **arguments, starttime="2024-05-06T07:08:20Z")
        self.assertIn("070839_20240506_070909", later.header("content-disposition"))
        nobody = self.get("exportrecording.cgi", **{**arguments, "device": "nobody"})
        self.assertEqual(self.code(nobody), 110)

    def test_mp4(self) -> None:
        """A signed MP4 file, that says who exported it."""
        answered = self.export(exportformat="mp4")
        self.assertEqual(answered.header("content-type"), "video/mp4")
        self.assertIn(".mp4", answered.header("content-disposition"))
        data = answered.body
        sealed, verdicts = verify(lambda start, size: data[start : start + size], len(data))
        self.assertEqual([v.is_valid and v.covers_all for v in verdicts], [True])
        self.assertEqual((sealed.info.operator, sealed.info.sources[0].name), ("vera", "front"))

    def test_zip(self) -> None:
        """An archive, under a name that tells nothing unless one is given."""
        answered = self.export(filename="x", encryptionformat="zip-aes256", password="Straße 1")
        self.assertEqual(answered.header("content-type"), "application/zip")
        self.assertEqual(answered.header("content-disposition"), 'attachment; filename="x.zip"')
        named = self.export(encryptionformat="zip-aes256", password="x")
        self.assertTrue(
            re.fullmatch(
                r'attachment; filename="[0-9A-F]{6}\.zip"', named.header("content-disposition")
            )
        )

    def test_is_noted(self) -> None:
        """Who exported what stands in the audit log, once though it was fetched in parts."""
        etag = self.export().header("etag")
        for start in (10, 500):
            self.export({"Range": f"bytes={start}-", "If-Range": etag})
        entries = self.successResultOf(self.house.audit.newest(10))
        noted = [(one.account, one.target) for one in entries if one.action == "export"]
        (entry,) = noted
        self.assertEqual(entry[0], "vera")
        self.assertRegex(
            entry[1],
            f"recording {self.names[0]} as matroska"
            r" from 2024-05-06T07:08:09\.\d+Z to 2024-05-06T07:08:11\.\d+Z",
        )

    def test_roles(self) -> None:
        """Nobody gets anything without an account."""
        for cgi in ("exportrecording", "properties", "exporttoexternal", "getjobstatus"):
            self.assertEqual(self.ask(f"{PATH}{cgi}.cgi").status, 401)

    def test_a_client_that_leaves(self) -> None:
        """What was begun is ended, and counted no more."""

        async def begin() -> AsyncIterator[bytes]:
            export = await self.exports.plan(ExportOrder((self.names[0],), "HDD_DISK"))
            flow = self.exports.read(export)
            await flow.__anext__()
            self.assertEqual(self.exports.active, 1)
            return flow

        flow: Any = self.successResultOf(Deferred.fromCoroutine(begin()))
        self.successResultOf(Deferred.fromCoroutine(flow.aclose()))
        self.assertEqual(self.exports.active, 0)

    # To an external disk.

    def external(self, **more: str) -> Answered:
        arguments = {
            "schemaversion": "1",
            "recordingid": self.names[0],
            "diskid": "HDD_DISK",
            "externaldiskid": "USB_DISK",
            "exportformat": "matroska",
            **more,
        }
        return self.get("exporttoexternal.cgi", **arguments)

    def test_to_external(self) -> None:
        """A file on the external disk, the same as a download; folders on its way are made."""
        self.usb.mkdir()
        made = self.xml(self.external(filepath="a/b/video.mkv"))[0]
        self.assertEqual((made.get("JobId"), made.get("FilePath")), ("1", "a/b/video.mkv"))
        status = self.xml(self.get("getjobstatus.cgi", schemaversion="1", jobid="1"))[0]
        self.assertEqual(status.attrib, {"Status": "Done", "Progress": "100"})
        self.assertEqual((self.usb / "a/b/video.mkv").read_bytes(), self.export().body)
        named = self.xml(self.external())[0]
        self.assertEqual(named.get("FilePath"), "20240506_070809_20240506_070811.mkv")

    def test_the_last_jobs_are_known(self) -> None:
        """The last five are known, those before are not."""
        self.usb.mkdir()
        for number in range(7):
            self.xml(self.external(filepath=f"{number}.mkv"))
        for job, is_known in (("2", False), ("3", True), ("7", True), ("8", False), ("x", False)):
            answered = self.xml(self.get("getjobstatus.cgi", schemaversion="1", jobid=job))
            self.assertEqual(answered.tag == "GetJobStatusSuccess", is_known, job)

    def test_errors_of_external(self) -> None:
        """Each error has its code, and nothing is written."""
        self.assertEqual(self.code(self.external()), 210)
        self.usb.mkdir()
        (self.usb / "there.mkv").write_bytes(b"")
        (self.usb / "link").symlink_to("/tmp")
        for arguments, code in (
            ({"externaldiskid": "CD_DISK"}, 200),
            ({"externaldiskid": ""}, 20),
            ({"filepath": "../x.mkv"}, 230),
            ({"filepath": "a/../../x.mkv"}, 230),
            ({"filepath": "there.mkv"}, 230),
            ({"filepath": "there.mkv/x"}, 230),
            ({"filepath": "link/x"}, 230),
            ({"filepath": "a\0b"}, 230),
            ({"filepath": "x" * 2000}, 230),
            ({"filepath": "/".join("abcdefghijklmnopqrst")}, 230),
            ({"password": "x"}, 270),
            ({"encryptionformat": "zip-aes256"}, 260),
            ({"recordingid": NOBODYS}, 110),
            ({"exportformat": "x"}, 170),
        ):
            self.assertEqual(self.code(self.external(**arguments)), code, arguments)
        self.assertEqual({path.name for path in self.usb.iterdir()}, {"there.mkv", "link"})

    def test_a_full_disk(self) -> None:
        """A job that fails says so, and leaves no file."""
        self.usb.mkdir()
        block = self.shelves.disks["HDD_DISK"].bench

        class FullFiles(Files):
            def writev(self, fd: int, pieces: Any) -> int:
                raise OSError(28, "No space left on device")

        maker = self.exports._maker
        exports = Exports(Files(), self.shelves.library, maker)
        jobs = ExportJobs(FullFiles(), exports, {"USB_DISK": self.usb})
        self.serve(*ExportCgis(exports, jobs, self.house.audit).endpoints())
        self.xml(self.external(filepath="v.mkv"))
        failed = self.xml(self.get("getjobstatus.cgi", schemaversion="1", jobid="1"))
        self.assertEqual(failed[0].tag, "GeneralError")
        self.assertIn("No space", failed[0].findtext("ErrorDescription") or "")
        self.assertEqual(list(self.usb.iterdir()), [])
        self.assertTrue(block.blocks())
