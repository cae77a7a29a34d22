"""What the recorder consists of, and what keeps it from being put together."""

from pathlib import Path

from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.assembly.disks import demo_disks
from axis_nvr.assembly.foundation import Release
from axis_nvr.assembly.recorder import make_recorder
from axis_nvr.config import load_config
from axis_nvr.errors import ConfigError
from axis_nvr.services.camera_events.camera_events import CameraEvents
from axis_nvr.services.discovery import Discovery
from axis_nvr.services.disk_jobs import DiskJobs
from axis_nvr.services.reading_pool import ReadingPool
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.rtsp_service import RtspService
from axis_nvr.services.state_claim import StateClaim
from axis_nvr.services.state_thread import StateThread
from axis_nvr.vapix.listener import Listener
from axis_nvr.vapix.websocket.service import WebSockets


class AssemblyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.said: list[str] = []

    def make(self, text: str = "", **options: object) -> list[IService]:
        path = self.folder / "nvr.toml"
        path.write_text(text)
        config = load_config(path, options, self.folder)
        release = Release("1", "Feb 14 2026 13:08")
        return make_recorder(MemoryReactorClock(), config, release, self.said.append)

    def test_what_it_consists_of(self) -> None:
        """Servers, state, readers, recorder, ears, work on disks, what announces it; the folder."""
        parts = self.make()
        self.assertEqual(
            [type(each) for each in parts],
            [
                StateClaim,
                Listener,
                Listener,
                WebSockets,
                RtspService,
                StateThread,
                ReadingPool,
                Recorder,
                CameraEvents,
                DiskJobs,
                Discovery,
            ],
        )
        files = {path.name for path in (self.folder / "nvr-state").iterdir()}
        self.assertLessEqual({"https.pem", "serial", "secret.key", "state.db"}, files)

    def test_servers_can_be_switched_off(self) -> None:
        """With none nothing listens, and no certificate is made."""
        parts = self.make(http="none", https="none", rtsp="none")
        kinds = [type(each) for each in parts]
        self.assertEqual(
            kinds,
            [
                StateClaim,
                WebSockets,
                RtspService,
                StateThread,
                ReadingPool,
                Recorder,
                CameraEvents,
                DiskJobs,
                Discovery,
            ],
        )
        self.assertEqual(list(parts[2]), [])  # type: ignore[call-overload]
        self.assertFalse((self.folder / "nvr-state" / "https.pem").exists())

    def test_mistakes_in_what_is_recorded(self) -> None:
        """They are found before anything runs."""
        camera = '[[camera]]\nid = "front"\naddress = "a"\n'
        recording = '[[recording]]\ndisk = "HDD_DISK"\noptions = "device=back"\n'
        for text, words in (
            (camera + recording, "[[recording]] number 1: options names the device 'back'"),
            (camera + 'certvalidation = "standard"', "certvalidation=standard"),
            ('http = "carrier-pigeon:1"', "http: 'carrier-pigeon:1' is no endpoint"),
            ('https = "ssl:8443:privateKey=absent.pem"', "https:"),
        ):
            error = self.assertRaises(ConfigError, self.make, text)
            self.assertIn(words, str(error))

    def test_the_demonstration_has_a_fresh_disk(self) -> None:
        """Each start has a folder of its own, unless a disk was named."""
        config = load_config(None, {"demo": True}, self.folder)
        first = demo_disks(config)["HDD_DISK"].folder
        first.mkdir(parents=True)
        self.assertEqual(first.parent.parent, self.folder / "nvr-state" / "demo")
        self.assertNotEqual(demo_disks(config)["HDD_DISK"].folder, first)
        config = load_config(None, {"demo": True, "disk": ["A=a"]}, self.folder)
        (disk,) = demo_disks(config).values()
        self.assertEqual((disk.disk_id, disk.folder), ("A", self.folder / "a"))
