"""Recording by rule beside continuous recording: one camera session, and the very same frames."""

import json
import sqlite3
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from axis_nvr.services.groups import NoGroup
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.triggered import TriggeredOrder, TriggeredRecordings
from axis_nvr.simulator.camera import VirtualCamera, virtual_camera
from tests.integration.in_process import NO_SERVERS, make_service, part_of
from tests.integration.peers import require_program, until

reactor: Any = installed_reactor
#: A key frame each half second; both modes are given, so that all share one stream.
OPTIONS = (
    "device=front&resolution=640x360&fps=20&videokeyframeinterval=10"
    "&videozgopmode=fixed&videozfpsmode=fixed"
)
PRE_SECONDS = 1.2
POST_SECONDS = 0.4


class Frame(NamedTuple):
    """One picture of a recording: when it was taken, in milliseconds, and what it is."""

    at_ms: int
    is_key: bool
    digest: str


class NoGroups:
    """No recording groups."""

    def __init__(self) -> None:
        self.followers: list[Any] = []

    def recordable(self, group_id: str) -> Any:
        raise NoGroup(group_id)


class TriggeredTests(TestCase):
    timeout = 120

    def setUp(self) -> Any:
        require_program("ffprobe")
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.camera: VirtualCamera = virtual_camera(reactor)
        self.camera.startService()
        self.addCleanup(self.camera.stopService)
        return self.camera.listening()

    def start(self) -> Recorder:
        port = self.camera.rtsp_url().partition("127.0.0.1:")[2].partition("/")[0]
        service = make_service(
            self.folder,
            f"{NO_SERVERS}no_discovery = true\n"
            f'[[camera]]\nid = "front"\naddress = "127.0.0.1"\nport = {port}\n'
            f'[[recording]]\ndisk = "HDD_DISK"\noptions = "{OPTIONS}"\n',
        )
        service.startService()
        self.addCleanup(service.stopService)
        return part_of(service, Recorder)

    def sessions(self) -> int:
        """How many sessions bring pictures."""
        clients: Any = self.camera.clients()
        return sum("video" in client["tracks"] for client in clients)

    def frames(self, recording_id: str) -> list[Frame]:
        """What stands in the one block of a recording."""
        index = sqlite3.connect(self.folder / "nvr-state" / "HDD_DISK" / "index.db")
        ((name, started),) = index.execute(
            "SELECT b.filename, b.starttime FROM blocks b JOIN recordings r"
            " ON r.id = b.recording_id WHERE r.filename = ?",
            (recording_id,),
        ).fetchall()
        index.close()
        (path,) = (self.folder / "nvr-state" / "HDD_DISK").rglob(f"{name}.mkv")
        start_ms = round(datetime.fromisoformat(started).timestamp() * 1000)
        command = ["ffprobe", "-v", "error", "-show_packets", "-show_data_hash", "md5"]
        output = subprocess.run(
            [*command, "-of", "json", str(path)], capture_output=True, check=True
        ).stdout
        return [
            Frame(
                start_ms + round(float(packet["pts_time"]) * 1000),
                "K" in packet["flags"],
                packet["data_hash"],
            )
            for packet in json.loads(output)["packets"]
        ]

    async def test_ten_rules_on_one_camera(self) -> None:
        """One session for all, and each rule records a stretch of the continuous recording.

        It is the same frame by frame, from the key frame at or before (trigger less pre-event time)
        until after the post-event time, without one missing.
        """
        recorder = self.start()
        groups: Any = NoGroups()
        triggered = TriggeredRecordings(recorder.recordings, groups, reactor, time.time)
        triggered.start()
        self.addCleanup(triggered.halt)
        rules = [
            triggered.arm(
                TriggeredOrder("HDD_DISK", OPTIONS, PRE_SECONDS, POST_SECONDS, f"rule {n}", "test")
            )
            for n in range(10)
        ]
        continuous = recorder.recordings.runs[0].job
        await until(lambda: continuous.written_gops >= 6)
        self.assertEqual((self.sessions(), len(recorder.report.streams)), (1, 1))
        began = time.time()
        for armed in rules:
            armed.pulse(int(began * 1e6))
        runs = recorder.recordings.runs[1:]
        names = await gatherResults([run.named() for run in runs])
        self.assertEqual(len(set(names)), 10)
        self.assertEqual((self.sessions(), len(recorder.report.streams)), (1, 1))
        await until(lambda: len(recorder.recordings.runs) == 1)
        ended = time.time()
        await until(lambda: all(run.job.status.state == "idle" for run in runs))
        await until(lambda: continuous.last_end_us > ended * 1e6)
        whole_id = continuous.status.recording_id
        await recorder.stopService()
        whole = self.frames(whole_id)
        for name in names:
            frames = self.frames(name)
            first = whole.index(frames[0])
            self.assertEqual(frames, whole[first : first + len(frames)])
            self.assertTrue(frames[0].is_key)
            wanted_ms = (began - PRE_SECONDS) * 1000
            later_keys = [frame.at_ms for frame in frames[1:] if frame.is_key]
            self.assertLessEqual(frames[0].at_ms, wanted_ms)
            self.assertGreater(later_keys[0], wanted_ms - 100, "the newest key frame before it")
            self.assertGreaterEqual(frames[-1].at_ms, (began + POST_SECONDS) * 1000 - 100)
            self.assertLess(frames[-1].at_ms, ended * 1000 + 100)
