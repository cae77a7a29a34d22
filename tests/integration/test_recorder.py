"""The whole recorder in one process with a camera that misbehaves."""

import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import eventAsText, globalLogPublisher
from twisted.trial.unittest import TestCase

from axis_nvr.services.recorder import Recorder
from axis_nvr.simulator.camera import VirtualCamera, virtual_camera
from tests.integration.in_process import NO_SERVERS, make_service, part_of
from tests.integration.peers import require_program, until

OPTIONS = "resolution=640x360&fps=25&videokeyframeinterval=25"


class RecorderTests(TestCase):
    timeout = 120

    def setUp(self) -> Any:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.text: list[str] = []
        observer: Any = lambda event: self.text.append(eventAsText(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.camera: VirtualCamera = virtual_camera(reactor, username="root", password="s3cret-1")
        self.camera.startService()
        self.addCleanup(self.camera.stopService)
        return self.camera.listening()

    def start(self, recordings: int) -> Recorder:
        """Start a recorder with so many recordings of the one stream."""
        port = self.camera.rtsp_url().partition("127.0.0.1:")[2].partition("/")[0]
        recording = f'[[recording]]\ndisk = "HDD_DISK"\noptions = "device=a b&{OPTIONS}"\n'
        service = make_service(
            self.folder,
            f'{NO_SERVERS}[[camera]]\nid = "a b"\naddress = "127.0.0.1"\n'
            f'port = {port}\nusername = "root"\npassword = "s3cret-1"\nevents_with_video = true\n'
            + recording
            * recordings,
        )
        service.startService()
        self.addCleanup(service.stopService)
        return part_of(service, Recorder)

    def rows(self, query: str) -> list[Any]:
        """Ask the disk's index."""
        index = sqlite3.connect(self.folder / "nvr-state" / "HDD_DISK" / "index.db")
        try:
            return index.execute(query).fetchall()
        finally:
            index.close()

    def test_a_camera_that_goes_and_comes_back(self) -> Deferred[None]:
        """One session for two recordings and events; each stays one, with the outage noted."""
        require_program("ffmpeg")
        return Deferred.fromCoroutine(self.goes_and_comes_back())

    async def goes_and_comes_back(self) -> None:
        recorder = self.start(recordings=2)

        def written() -> int:
            return min(each.job.counts.written_gops for each in recorder.report.recordings)

        await until(lambda: written() >= 2)
        (client,) = self.camera.clients()
        self.assertEqual(set(client["tracks"]), {"video", "metadata"})  # type: ignore[call-overload]
        self.camera.raise_fault("disconnect", refuse=1.0)
        await until(lambda: recorder.report.streams[0].status.state != "playing")
        await until(lambda: recorder.report.streams[0].status.reconnects == 1)
        before = written()
        await until(lambda: written() >= before + 2)
        names = {each.job.recording_id for each in recorder.report.recordings}
        await recorder.stopService()
        self.check_disk(names)
        self.assertEqual([line for line in self.text if "s3cret" in line], [])
        self.assertTrue(any("a b: plays video" in line for line in self.text))

    def check_disk(self, names: set[str]) -> None:
        """Two recordings, each with one outage of about a second, in blocks without an error."""
        recordings = self.rows("SELECT filename, stoptime FROM recordings")
        self.assertEqual({name for name, _ in recordings}, names)
        self.assertTrue(all(stop for _, stop in recordings))
        gaps = self.rows("SELECT end_us - start_us, reason FROM nvr_gaps")
        self.assertEqual([reason for _, reason in gaps], ["disconnected"] * 2)
        for length_us, _ in gaps:
            self.assertGreater(length_us, 900_000)
            self.assertLess(length_us, 10_000_000)
        for block in (self.folder / "nvr-state").rglob("*.mkv"):
            command = ["ffmpeg", "-v", "error", "-i", str(block), "-f", "null", "-"]
            decoded = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual((decoded.returncode, decoded.stderr), (0, ""))
