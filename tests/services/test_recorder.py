"""The recorder: what is recorded from which camera to which disk, and how it starts and ends."""

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.config import RecordingConfig
from axis_nvr.errors import ConfigError, StorageError, StorageErrorKind
from axis_nvr.media.budget import ByteBudget
from axis_nvr.media.units import AccessUnit
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.recorder import STOP_SECONDS, Recorder
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from axis_nvr.services.stream_status import StreamState
from tests.services.recording_fakes import FRONT, GATE, VIDEO, YARD, FakeDisk, FakeStream


class RecorderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.log: list[str] = []
        self.clock = Clock()
        self.streams: list[FakeStream] = []
        self.disk = FakeDisk(self.log)
        disk: Any = self.disk
        registry: Any = StreamRegistry([FRONT, YARD, GATE], self.make)
        self.recorder = Recorder(
            registry,
            {"HDD_DISK": DiskKeeper(lambda: disk, self.clock)},
            ByteBudget(),
            self.clock,
            lambda: 1_700_000_000.0,
            version="1",
            serial="ACCC8E000001",
        )

    def make(self, request: StreamRequest) -> FakeStream:
        self.streams.append(FakeStream(request, self.log))
        return self.streams[-1]

    def add(self, options: str, disk: str = "HDD_DISK") -> None:
        self.recorder.add(RecordingConfig(disk, options, "nvr.toml: [[recording]] number 1"))

    def test_a_recording_runs_while_the_recorder_does(self) -> None:
        """It begins with the recorder, and ends before its stream and its disk."""
        self.add("device=front&fps=25")
        self.assertEqual(self.log, [])
        self.recorder.startService()
        self.streams[0].buffer.push(AccessUnit(0, 0, 0, True, b"I", VIDEO))
        self.successResultOf(self.recorder.stopService())
        self.assertEqual(self.log, ["front started", "R1 closed", "front stopped", "disk stopped"])
        self.assertEqual(len(self.disk.recordings[0].gops), 1, "the last pictures are written")
        self.assertEqual(self.disk.recordings[0].gaps, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_the_disk_is_told(self) -> None:
        """The recording names its device, what the camera was sent, and the camera's number."""
        self.add("device=front&camera=3&fps=25")
        self.recorder.startService()
        (details,) = self.disk.details
        self.assertEqual((details.device, details.source_token), ("front", 3))
        self.assertTrue(details.stream_options.startswith("camera=3&fps=25&resolution="))
        self.assertEqual(details.trigger_type, "continuous")

    def test_a_number_that_is_none(self) -> None:
        """A view that has a name is recorded as the first."""
        self.add("device=front&camera=quad")
        self.recorder.startService()
        self.assertEqual(self.disk.details[0].source_token, 1)

    def test_recordings_of_the_same_stream_share_it(self) -> None:
        """Two recordings, one session, two names."""
        self.add("device=front&fps=25")
        self.add("fps=25&device=front")
        self.recorder.startService()
        self.assertEqual(len(self.streams), 1)
        self.assertEqual(len(self.disk.recordings), 2)
        names = [each.job.name for each in self.recorder.report.recordings]
        self.assertEqual(names, ["front", "front (2)"])

    def test_added_while_it_runs(self) -> None:
        """What is added later begins at once."""
        self.recorder.startService()
        self.add("device=gate")
        self.assertEqual(self.log, ["gate started"])

    def test_mistakes_are_refused_by_place(self) -> None:
        """Each sentence names the recording and the key, and nothing is begun."""
        for options, disk, words in (
            ("fps=25", "HDD_DISK", "options: stream options must name one device"),
            ("device=back", "HDD_DISK", "options names the device 'back'"),
            ("device=front&video=0", "HDD_DISK", "options asks for neither"),
            ("device=front&audio=x", "HDD_DISK", "options: stream option audio must be 0 or 1"),
            ("device=front", "SD_DISK", "disk 'SD_DISK' is not among the disks: HDD_DISK"),
        ):
            error = self.assertRaises(ConfigError, self.add, options, disk)
            self.assertIn("nvr.toml: [[recording]] number 1", str(error))
            self.assertIn(words, str(error))
        self.recorder.startService()
        self.assertEqual(self.streams, [])

    def test_doubtful_options_are_warned_about(self) -> None:
        """The log says which option and why; the recording runs all the same."""
        with capturedLogs() as events:
            self.add("device=front&videomaxbitrate=2000")
        (event,) = events
        self.assertIn("videomaxbitrate", event["doubt"])
        self.recorder.startService()
        self.assertEqual(len(self.disk.recordings), 1)
        (stream,) = self.recorder.report.streams
        self.assertIn("videomaxbitrate", stream.warnings[0])

    def test_the_report(self) -> None:
        """It tells cameras, recordings and disks, where they are, and nothing secret."""
        self.add("device=front&fps=25")
        self.add("device=yard")
        self.recorder.startService()
        self.clock.advance(90)
        report = self.recorder.report
        self.assertEqual([each.device for each in report.streams], ["front", "yard"])
        places = [each.address for each in report.streams]
        self.assertEqual(places, ["192.168.0.90:8554", "192.168.0.91:554"])
        self.assertEqual([each.device for each in report.idle_cameras], ["gate"])
        self.assertEqual([each.job.state for each in report.recordings], ["recording"] * 2)
        self.assertEqual([each.state for each in report.disks], ["ok"])
        self.assertEqual((report.uptime_seconds, report.serial), (90.0, "ACCC8E000001"))
        self.assertNotIn("s3cret", repr(report))

    def test_a_recording_of_a_stream_that_does_not_play(self) -> None:
        """It is not called recording: nothing is."""
        self.add("device=front")
        self.add("device=yard")
        self.recorder.startService()
        front = self.streams[0]
        front.status = replace(front.status, state=StreamState.REFUSED)
        states = [each.state for each in self.recorder.report.recordings]
        self.assertEqual(states, ["no pictures", "recording"])

    def test_a_disk_that_is_away_does_not_keep_it_from_ending(self) -> None:
        """What waits for it is given up at once; all else ends as ever."""
        away: Any = FakeDisk(self.log)
        absent = StorageError(StorageErrorKind.ABSENT, away.folder, "no such folder")
        self.patch(away, "start", lambda **_: fail(absent))
        self.recorder.disks = {**self.recorder.disks, "SD": DiskKeeper(lambda: away, self.clock)}
        self.recorder.recordings = Recordings(
            self.recorder.registry, self.recorder.disks, self.clock
        )
        self.add("device=front")
        self.add("device=front", "SD")
        self.recorder.startService()
        self.assertEqual(
            [run.job.status.state for run in self.recorder.recordings.runs][1], "opening"
        )
        self.successResultOf(self.recorder.stopService())
        self.assertEqual(self.log[1:3], ["R1 closed", "front stopped"])
        self.assertEqual(self.log.count("disk stopped"), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_disk_that_hangs_does_not_keep_it_from_ending(self) -> None:
        """After a while the recorder ends without it."""
        self.add("device=front")
        self.recorder.startService()
        self.disk.stopping = Deferred()
        done = self.recorder.stopService()
        self.assertNoResult(done)
        self.clock.advance(STOP_SECONDS)
        self.successResultOf(done)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
