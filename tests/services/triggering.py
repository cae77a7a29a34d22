"""Rules armed on cameras and a disk that are none, for tests of what records by rule."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.config import CameraConfig
from axis_nvr.media.units import AccessUnit
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.groups import NoGroup, PlacedGroup
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from axis_nvr.services.triggered import Armed, TriggeredOrder, TriggeredRecordings
from axis_nvr.storage.groups import Group
from tests.services.recording_fakes import FRONT, GATE, VIDEO, FakeDisk, FakeRecording, FakeStream

#: When each test begins: UTC, seconds since 1970.
NOON = 1_700_000_000
PICTURES_PER_SECOND = 10
FIXED = "device=front&videozgopmode=fixed&videozfpsmode=fixed"


class Stream(FakeStream):
    """A stream whose pictures the test pushes; their time is that of the recorder, and a lead."""

    lead_us = 0

    def media_time(self, utc_us: int) -> int:
        return utc_us + self.lead_us


class House:
    """The recording groups there are."""

    def __init__(self) -> None:
        self.followers: list[Any] = []
        self.groups: dict[str, PlacedGroup] = {}

    def put(self, group: Group, disk: str = "HDD_DISK") -> None:
        self.groups[group.id] = PlacedGroup(group, disk)
        self.tell()

    def tell(self) -> None:
        for follower in self.followers:
            follower()

    def recordable(self, group_id: str) -> PlacedGroup:
        if group_id not in self.groups:
            raise NoGroup(f"no recording group {group_id!r}")
        return self.groups[group_id]


class TriggerTestCase(SynchronousTestCase):
    """A camera of ten pictures a second, a key frame each second, and what records it by rule."""

    def setUp(self) -> None:
        self.log: list[str] = []
        self.told: list[str] = []
        self.clock = Clock()
        self.streams: list[Stream] = []
        self.disk = FakeDisk(self.log)
        disk: Any = self.disk
        self.keeper = DiskKeeper(lambda: disk, self.clock)
        self.keeper.start()
        self.registry: Any = StreamRegistry([FRONT, GATE], self.make)
        self.recordings = Recordings(
            self.registry, {"HDD_DISK": self.keeper, "SD_DISK": self.keeper}, self.clock
        )
        self.house = House()
        groups: Any = self.house
        self.triggered = TriggeredRecordings(self.recordings, groups, self.clock, self.utc)
        self.triggered.start()
        self.pictures = 0

    def make(self, request: StreamRequest) -> Stream:
        self.streams.append(Stream(request, self.log))
        return self.streams[-1]

    def utc(self) -> float:
        return NOON + self.clock.seconds()

    @property
    def now_us(self) -> int:
        return round(self.utc() * 1e6)

    def arm(self, pre: float = 5, post: float = 10, options: str = FIXED, rule: str = "r") -> Armed:
        order = TriggeredOrder("HDD_DISK", options, pre, post, rule, f"{rule}'s action")
        return self.listen(self.triggered.arm(order))

    def listen(self, armed: Armed) -> Armed:
        armed.failed = self.told.append
        return armed

    def play(self, seconds: float) -> None:
        """Let time go by, with pictures on all streams."""
        for _ in range(round(seconds * PICTURES_PER_SECOND)):
            number, self.pictures = self.pictures, self.pictures + 1
            at_us = NOON * 1_000_000 + number * 1_000_000 // PICTURES_PER_SECOND
            sync = number % PICTURES_PER_SECOND == 0
            for stream in self.streams:
                stream.newest_us = utc_us = at_us + stream.lead_us
                stream.buffer.push(
                    AccessUnit(0, utc_us, number * 9000, sync, b"%06d" % number, VIDEO)
                )
            self.clock.pump([1 / PICTURES_PER_SECOND])

    def wait(self, seconds: int) -> None:
        """Let time go by without pictures."""
        self.clock.pump([1.0] * seconds)
        self.pictures += seconds * PICTURES_PER_SECOND

    def recording(self, number: int = 0) -> FakeRecording:
        return self.disk.recordings[number]

    def frames(self, number: int = 0) -> list[int]:
        """The numbers of the pictures that a recording has."""
        return [int(unit.data) for gop in self.recording(number).gops for unit in gop.units]

    def ended(self) -> list[str]:
        """The recordings that have ended."""
        return [line.split()[0] for line in self.log if line.endswith("closed")]

    def know(self, camera: CameraConfig | None, device: str = "front") -> None:
        """Let a device be known, or known no more."""
        self.registry.cameras.pop(device, None)
        if camera is not None:
            self.registry.cameras[device] = camera
        self.triggered.look()
