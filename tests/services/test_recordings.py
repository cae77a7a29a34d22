"""Recordings that run: begun, named, ended by id."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError, StorageError, StorageErrorKind
from axis_nvr.media.units import AccessUnit
from axis_nvr.services import recordings as module
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.recordings import (
    NAME_SECONDS,
    CannotRecord,
    NotRunning,
    Order,
    Recordings,
)
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from tests.services.recording_fakes import FRONT, GATE, VIDEO, FakeDisk, FakeRecording, FakeStream


class SlowDisk(FakeDisk):
    """A disk that opens a recording when it is told to."""

    def __init__(self, log: list[str]) -> None:
        super().__init__(log)
        self.opening: list[Deferred[Any]] = []

    def open_recording(self, details: Any, *, start_us: int | None = None) -> Any:
        self.details.append(details)
        self.opening.append(Deferred())
        return self.opening[-1]


class RecordingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.log: list[str] = []
        self.clock = Clock()
        self.disk, self.slow = FakeDisk(self.log), SlowDisk(self.log)
        registry: Any = StreamRegistry([FRONT, GATE], self.make)
        disks = {
            "HDD_DISK": DiskKeeper(lambda: self.any(self.disk), self.clock),
            "SLOW": DiskKeeper(lambda: self.any(self.slow), self.clock),
        }
        for disk in disks.values():
            disk.start()
        self.recordings = Recordings(registry, disks, self.clock)

    def any(self, value: Any) -> Any:
        return value

    def make(self, request: StreamRequest) -> FakeStream:
        return FakeStream(request, self.log)

    def record(self, options: str = "device=front", disk: str = "HDD_DISK") -> Deferred[str]:
        order = Order(disk, options, "triggered", "my rule", "record", "group-1")
        return Deferred.fromCoroutine(self.recordings.record(order))

    def stop(self, recording_id: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self.recordings.stop(recording_id))

    def test_recorded_and_stopped(self) -> None:
        """Its id comes when the disk has named it; by that it is stopped, its stream with it."""
        self.assertEqual(self.successResultOf(self.record()), "R1")
        (details,) = self.disk.details
        self.assertEqual(
            (details.trigger_type, details.trigger_name, details.trigger_trigger, details.group),
            ("triggered", "my rule", "record", "group-1"),
        )
        self.successResultOf(self.stop("R1"))
        self.assertEqual(self.log, ["front started", "R1 closed", "front stopped"])
        self.failureResultOf(self.stop("R1"), NotRunning)
        self.assertEqual(self.recordings.runs, [])

    def test_two_of_one_stream(self) -> None:
        """The stream goes on while one of them does."""
        self.record()
        self.record()
        self.assertEqual([run.name for run in self.recordings.runs], ["front", "front (2)"])
        self.successResultOf(self.stop("R1"))
        self.assertNotIn("front stopped", self.log)
        self.successResultOf(self.stop("R2"))
        self.assertIn("front stopped", self.log)

    def test_an_earlier_id(self) -> None:
        """After the disk failed it is another recording; both ids mean the same run."""
        self.record()
        job = self.recordings.runs[0].job
        failure = StorageError(StorageErrorKind.CLOSED, self.disk.folder, "closed")
        job._machine.failed(Failure(failure))
        self.clock.advance(1.0)
        self.assertEqual(self.recordings.runs[0].ids, ["R1", "R2"])
        self.successResultOf(self.stop("R1"))
        self.assertEqual(self.recordings.runs, [])

    def test_a_disk_that_is_away(self) -> None:
        """Who ends a recording does not wait for it; for one that has been asked they do."""
        disks = {"AWAY": DiskKeeper(lambda: self.any(self.slow), self.clock)}
        self.recordings = Recordings(self.recordings.registry, disks, self.clock)
        for is_there in (False, True):
            self.log.clear()
            if is_there:
                disks["AWAY"].start()
            run = self.recordings.begin(Order("AWAY", "device=front"))
            ending = Deferred.fromCoroutine(self.recordings.end(run))
            if is_there:
                self.assertNoResult(ending)
                self.slow.opening[0].callback(FakeRecording("R1", self.log))
            self.successResultOf(ending)
            self.assertEqual(self.log[-1], "front stopped")
            self.assertEqual("R1 closed" in self.log, is_there)

    def test_a_disk_that_is_slow(self) -> None:
        """The answer waits for it, but not for ever; then nothing runs."""
        recording = self.record(disk="SLOW")
        self.assertNoResult(recording)
        self.clock.advance(NAME_SECONDS)
        self.failureResultOf(recording, CannotRecord)
        self.assertEqual(self.recordings.runs, [])
        self.slow.opening[0].errback(
            StorageError(StorageErrorKind.ABSENT, self.disk.folder, "no such disk")
        )
        self.assertIn("front stopped", self.log)

    def test_what_cannot_be(self) -> None:
        """An unknown device or disk, or options that are none: nothing is begun."""
        for options, disk in (
            ("device=nobody", "HDD_DISK"),
            ("fps=25", "HDD_DISK"),
            ("device=front&audio=2", "HDD_DISK"),
            ("device=front", "SD_DISK"),
        ):
            self.failureResultOf(self.record(options, disk), ConfigError)
        self.assertEqual((self.recordings.runs, self.log), ([], []))

    def test_bounded(self) -> None:
        """There is a most of them."""
        self.patch(module, "MAX_RUNS", 1)
        self.record()
        self.failureResultOf(self.record(), CannotRecord)

    def test_all_ended(self) -> None:
        """All recordings are whole on their disks before streams stop."""
        self.record()
        self.record("device=gate")
        self.successResultOf(Deferred.fromCoroutine(self.recordings.end_all()))
        self.assertEqual(self.log[-2:], ["R1 closed", "R2 closed"])

    def test_one_that_is_being_ended(self) -> None:
        """Who ends all waits for it too."""
        self.record()
        closing: Deferred[None] = Deferred()
        self.patch(self.disk.recordings[0], "close", lambda: closing)
        self.stop("R1")
        all_ended = Deferred.fromCoroutine(self.recordings.end_all())
        self.assertNoResult(all_ended)
        closing.callback(None)
        self.successResultOf(all_ended)
        self.assertIn("front stopped", self.log)

    def test_another_order(self) -> None:
        """A run that goes on by another order answers to its earlier ids too."""
        self.record()
        (run,) = self.recordings.runs
        order = Order(
            "HDD_DISK", "device=front&fps=10", "triggered", "my rule", "record", "group-1"
        )
        successor = self.recordings.replace(run, order, self.recordings.request(order))
        self.assertEqual(self.recordings.runs, [successor])
        self.assertIn("R1 closed", self.log)
        self.assertEqual(self.disk.details[1].stream_options.split("&")[0], "fps=10")
        self.patch(module, "MAX_RUNS", 1)
        request = self.recordings.request(order)
        self.assertRaises(CannotRecord, self.recordings.replace, successor, order, request)
        self.assertEqual(self.recordings.runs, [successor])
        self.successResultOf(self.stop("R1"))
        self.assertEqual(self.recordings.runs, [])

    def test_begun_with_what_was_before(self) -> None:
        """It is named for its first picture; another one, after the disk failed, for its own."""
        order = Order("HDD_DISK", "device=front", "triggered")
        request = self.recordings.request(order, pre_buffer=True)
        lease = self.recordings.registry.acquire(request)
        for second in range(4):
            at_us = second * 1_000_000
            unit = AccessUnit(0, at_us, 0, True, b"picture", VIDEO)
            lease.stream.buffer.push(unit)
        run = self.recordings.begin(order, request=request, since_us=1_500_000)
        self.assertIs(run.lease.stream, lease.stream)
        self.assertEqual((run.begins_us, self.disk.named_from), (1_000_000, [1_000_000]))
        self.assertEqual([gop.start_us for gop in self.disk.recordings[0].gops], [1e6, 2e6])
        failure = StorageError(StorageErrorKind.CLOSED, self.disk.folder, "closed")
        run.job._machine.failed(Failure(failure))
        self.clock.advance(1.0)
        self.assertEqual(self.disk.named_from, [1_000_000, None])

    def test_concluded(self) -> None:
        """What goes on, such as a continuous recording, does so as another one; others end."""
        self.recordings.begin(Order("HDD_DISK", "device=front"))
        self.record("device=gate")
        for name in ("R1", "R2", "R9"):
            self.successResultOf(Deferred.fromCoroutine(self.recordings.conclude(name)))
        self.assertEqual([run.ids for run in self.recordings.runs], [["R1", "R3"]])
        self.assertIsNone(self.recordings.run_of("R1"))
        self.assertIs(self.recordings.run_of("R3"), self.recordings.runs[0])
        self.assertIsNone(self.recordings.written_until("R3"))

    def test_nothing_is_missing_between(self) -> None:
        """The one that goes on begins with a key frame: of the group that the other ended in."""
        run = self.recordings.begin(Order("HDD_DISK", "device=front"))
        buffer = run.lease.stream.buffer
        for at in range(3):
            buffer.push(AccessUnit(0, at * 40_000, at * 3600, not at, b"picture", VIDEO))
        self.successResultOf(Deferred.fromCoroutine(self.recordings.conclude("R1")))
        buffer.push(AccessUnit(0, 120_000, 10_800, False, b"picture", VIDEO))
        buffer.push(AccessUnit(0, 2_000_000, 180_000, True, b"picture", VIDEO))
        (before, after) = (one.gops for one in self.disk.recordings)
        self.assertEqual([len(gop.units) for gop in before], [3])
        self.assertEqual([gop.starts_at_sync for gop in after], [True, False])
        self.assertEqual([len(gop.units) for gop in after], [3, 1])

    def test_it_ends_when_it_is_ended(self) -> None:
        """What the camera has sent by then is in it, should it have been read or not."""
        run = self.recordings.begin(Order("HDD_DISK", "device=front"))
        stream: Any = run.lease.stream
        units = [AccessUnit(0, at * 40_000, at * 3600, not at, b"p", VIDEO) for at in range(3)]
        stream.buffer.push(units[0])
        stream.unread = units[1:]
        self.successResultOf(Deferred.fromCoroutine(self.recordings.end(run)))
        (gop,) = self.disk.recordings[0].gops
        self.assertEqual(len(gop.units), 3)

    def test_nothing_is_missing_between_with_a_group_in_parts(self) -> None:
        """What was closed already of the group that grows is taken from the pre-buffer."""
        order = Order("HDD_DISK", "device=front")
        request = self.recordings.request(order, pre_buffer=True)
        run = self.recordings.begin(order, request=request)
        buffer = run.lease.stream.buffer
        for at in range(6):
            buffer.push(AccessUnit(0, at * 40_000, at * 3600, not at, b"picture", VIDEO))
            if at == 2:
                buffer.flush()
        self.successResultOf(Deferred.fromCoroutine(self.recordings.conclude("R1")))
        (before, after) = (one.gops for one in self.disk.recordings)
        self.assertEqual([len(gop.units) for gop in before], [3, 3])
        self.assertEqual([len(gop.units) for gop in after], [3, 3])
