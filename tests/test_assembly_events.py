"""What the recorder tells of itself, put together: the bus sees what the parts do."""

from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.assembly.events import make_events
from axis_nvr.assembly.foundation import Release, lay_foundation
from axis_nvr.config import load_config
from axis_nvr.media.budget import ByteBudget
from axis_nvr.media.buffer import GopBuffer
from axis_nvr.services.audit import Audit
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.event_sources import cameras, configuration, schedules, storage, system
from axis_nvr.services.event_sources.recordings import RecordingEvents
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.stream_registry import StreamRegistry
from axis_nvr.services.stream_status import StreamState
from axis_nvr.wire.notification import Items, Notification
from tests.services.test_camera_stream import PLAN


class EventsTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "nvr.toml").write_text("")
        config = load_config(folder / "nvr.toml", {}, folder)
        self.clock = MemoryReactorClock()
        self.base = lay_foundation(self.clock, config, Release("1", ""))
        self.addCleanup(self.base.database.close)
        self.heard: list[Notification] = []
        self.base.bus.subscribe(self.heard.append)
        self.events = make_events(self.base)
        registry: StreamRegistry[CameraStream] = StreamRegistry([], self.never)
        self.recorder = Recorder(
            registry, {}, ByteBudget(1), self.clock, lambda: 0.0, version="", serial=""
        )

    def never(self, *_: object) -> Any:
        raise AssertionError("no stream is wanted")

    def data(self, topic: str, source: Items = ()) -> Items | None:
        state = self.base.bus.state(topic, source)
        return state and state.data

    def test_all_is_declared_and_stands_before_anything_starts(self) -> None:
        """14 events less that of motion; a disk that is disrupted, a recorder that is not ready."""
        self.assertEqual(len(self.base.bus.declarations), 13)
        self.assertEqual(self.data(system.READY), (("ready", "0"),))
        disk = (("disk_id", "HDD_DISK"),)
        self.assertEqual(self.data(storage.DISRUPTION, disk), (("disruption", "1"),))
        self.assertEqual([n for n in self.heard if n.topic == schedules.INTERVAL], [])

    def test_with_the_recorder(self) -> None:
        """It is ready last, schedules stand by then; both end with it, and no timer stays."""
        audit = Audit(self.base.database, lambda: 0.0)
        self.events.follow(self.recorder, audit)
        self.assertIsInstance(self.recorder.recordings.observer, RecordingEvents)
        self.recorder.startService()
        self.assertEqual((self.heard[-1].topic, self.data(system.READY)), READY)
        running = [n for n in self.base.bus.states() if n.topic == schedules.INTERVAL]
        self.assertEqual(len(running), 4)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.recorder.stopService()
        self.assertEqual(self.data(system.READY), (("ready", "0"),))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_set(self) -> None:
        """An entry of the audit log is told."""
        audit = Audit(self.base.database, lambda: 0.0)
        self.events.follow(self.recorder, audit)
        audit.note("root", "::1", "create", "device front")
        last = self.heard[-1]
        self.assertEqual((last.topic, last.data), (configuration.CHANGED, SECTION))

    def test_a_stream(self) -> None:
        """The state of a stream is told as that of its device."""
        stream = CameraStream(PLAN, GopBuffer(), self.never, self.clock)
        self.events.tell_of(stream, "front")
        front = (("device", "front"),)
        for state, expected in (
            (StreamState.CONNECTING, (("connected", "0"),)),
            (StreamState.PLAYING, (("connected", "1"),)),
            (StreamState.IDLE, None),
        ):
            stream.state_changed(state)
            self.assertEqual(self.data(cameras.CONNECTED, front), expected)


READY = (system.READY, (("ready", "1"),))
SECTION = (("section", "devices"),)
