"""The disk APIs over real folders; nothing of it is in a thread or on a network."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock

from axis_nvr.config.disk import DiskConfig
from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.disk_encryption import DiskEncryption
from axis_nvr.services.disk_jobs import Action
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.disk_settings import DiskSettings
from axis_nvr.services.disks import Disks
from axis_nvr.services.luks import WrongPassphrase
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from axis_nvr.services.vault import Vault
from axis_nvr.storage.disk_status import DiskState, DiskStatus
from axis_nvr.storage.layout import LOCK_NAME
from tests.services.recording_fakes import FRONT, FakeDisk, FakeStream
from tests.storage.making import START_US, Bench, video_gop
from tests.vapix.serving import ServingTestCase

#: The disks: a plain one, and a card with a device that can be encrypted.
IDS = ("HDD_DISK", "SD_DISK")


class FolderDisk(FakeDisk):
    """A disk that records nothing, in a folder that is real.

    :ivar fault: what the next start fails with.
    """

    def __init__(self, disk_id: str, folder: Path, log: list[str]) -> None:
        super().__init__(log)
        self.disk_id = disk_id
        self.folder = folder
        self.state = DiskState.STOPPED
        self.woken: list[str] = []
        self.fault: StorageError | None = None
        self.observer: Any = None

    def start(self, *, is_known: bool = False) -> Deferred[None]:
        self.log.append(f"{self.disk_id} started")
        if self.fault is not None:
            fault, self.fault = self.fault, None
            self.say(DiskState.of(fault.kind), str(fault))
            return maybeDeferred(self._raise, fault)
        self.say(DiskState.OK)
        return succeed(None)

    def _raise(self, error: Exception) -> None:
        raise error

    def stop(self) -> Deferred[None]:
        self.log.append(f"{self.disk_id} stopped")
        self.say(DiskState.STOPPED)
        return self.stopping

    def say(self, state: DiskState, words: str = "") -> None:
        """Be in a state and tell of it."""
        self.state = state
        if self.observer is not None:
            self.observer.state_changed(state, words)

    def wake_chore(self, name: str) -> None:
        self.woken.append(name)

    def status(self) -> DiskStatus:
        return DiskStatus(self.disk_id, self.state, 100, 40, 0, 0, 0, 0, 0, 0, 0, "")


class FakeLuks:
    """A device that is, or becomes, a LUKS container."""

    device = Path("/dev/null")

    def __init__(self) -> None:
        self.passphrase: bytes | None = None
        self.done: list[str] = []

    async def is_luks(self) -> bool:
        return self.passphrase is not None

    async def uuid(self) -> str:
        return "C0FFEE"

    async def test(self, passphrase: bytes) -> None:
        if passphrase != self.passphrase:
            raise WrongPassphrase("no")

    async def open(self, name: str, passphrase: bytes) -> Path:
        await self.test(passphrase)
        self.done.append("open")
        return Path("/dev/mapper") / name

    async def close(self, name: str) -> None:
        self.done.append("close")

    async def make_file_system(self, mapped: Path) -> None:
        self.done.append("mkfs")

    async def mount(self, mapped: Path, folder: Path) -> None:
        self.done.append("mount")

    async def format(self, passphrase: bytes) -> None:
        self.done.append("format")
        self.passphrase = passphrase

    async def change(self, old: bytes, new: bytes) -> None:
        await self.test(old)
        self.passphrase = new


class DiskServingTestCase(ServingTestCase):
    """Two disks, mounted, of which one has a recording."""

    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.clock = Clock()
        self.log: list[str] = []
        self.luks = FakeLuks()
        self.mounted_luks: set[str] = set()
        self.made: dict[str, FolderDisk] = {}
        self.fault: StorageError | None = None
        self.folders = {disk_id: Path(self.mktemp()) for disk_id in IDS}
        self.configs = {
            "HDD_DISK": DiskConfig("HDD_DISK", self.folders["HDD_DISK"], max_age_days=30),
            "SD_DISK": DiskConfig("SD_DISK", self.folders["SD_DISK"], device="/dev/null"),
        }
        self.record("HDD_DISK")
        self.folders["SD_DISK"].mkdir()
        (self.folders["SD_DISK"] / LOCK_NAME).touch()
        self.restart()

    def record(self, disk_id: str) -> None:
        """Make a disk of a folder, with a recording of one block."""
        bench = Bench(str(self.folders[disk_id]))
        bench.disk.start()
        recording = bench.open()
        bench.write(recording, video_gop(START_US, frames=100))
        bench.close(recording)
        with bench.disk.place.index.transaction():  # what the first start of a disk does
            bench.disk.place.index.execute("DELETE FROM nvr_state")
        bench.disk.stop()

    def restart(self) -> None:
        """Begin anew with what is kept."""
        vault = Vault(self.house.state)
        self.settings = DiskSettings(self.house.database, vault, self.configs)
        self.keepers = {name: self.keep(name) for name in IDS}
        cameras: Any = [FRONT]
        registry: Any = StreamRegistry(cameras, self.make_stream)
        self.recordings = Recordings(registry, self.keepers, self.clock)
        self.disks = Disks(
            self.keepers,
            self.settings,
            self.recordings,
            maybeDeferred,
            self.clock,
            self.encryption,
        )
        for keeper in self.keepers.values():
            keeper.start()
        self.serve(*self.endpoints())

    def endpoints(self) -> tuple[Any, ...]:
        """What is served."""
        raise NotImplementedError

    def keep(self, disk_id: str) -> DiskKeeper:
        def make() -> Any:
            disk = FolderDisk(disk_id, self.folders[disk_id], self.log)
            disk.fault, self.fault = self.fault, None
            self.made[disk_id] = disk
            return disk

        def admit() -> Deferred[None]:
            return Deferred.fromCoroutine(self.encryption(disk_id).admit())

        return DiskKeeper(make, self.clock, admit=admit)

    def encryption(self, disk_id: str) -> DiskEncryption:
        luks: Any = lambda device, run: self.luks  # noqa: E731
        run: Any = None
        return DiskEncryption(
            self.settings.config(disk_id),
            run,
            passphrase=self.settings.of(disk_id).passphrase.encode(),
            containers=lambda folder: self.mounted_luks,
            luks=luks,
        )

    def make_stream(self, request: StreamRequest) -> FakeStream:
        return FakeStream(request, self.log)

    def root(self, path: str, user: str = "ann", **arguments: str) -> ET.Element:
        """The root of an answer; an argument that nobody knows does not hurt."""
        query = urlencode({**arguments, "nobody": "knows"})
        answered = self.ask(f"{path}?{query}", user)
        self.assertEqual((answered.status, answered.header("Content-Type")[:8]), (200, "text/xml"))
        return ET.fromstring(answered.body)

    def assert_roles(self, **roles: str) -> None:
        """Each path needs at least the role of this account."""
        order = ("vera", "otto", "ann")
        for path, least in roles.items():
            for user in order:
                status = self.ask(path, user).status
                self.assertEqual(status, 200 if order.index(user) >= order.index(least) else 403)
            self.assertEqual(self.send(path).status, 401)

    def media(self, disk_id: str = "HDD_DISK") -> list[str]:
        """The blocks on a disk."""
        return sorted(path.name for path in self.folders[disk_id].rglob("*.mkv"))

    def mount(self, action: str, disk_id: str = "HDD_DISK") -> None:
        """Mount or unmount, past the API."""
        job = self.disks.begin(Action(action), disk_id)
        self.assertEqual((job.progress, job.has_failed), (100, False), job.description)

    def audited(self) -> list[str]:
        """What was noted: action, target and outcome; newest last."""
        entries = self.successResultOf(self.house.audit.newest(1000))
        return [f"{entry.action} {entry.target}: {entry.outcome}" for entry in reversed(entries)]


ABSENT = StorageError(StorageErrorKind.ABSENT, Path("/disk"), "it is not there")
