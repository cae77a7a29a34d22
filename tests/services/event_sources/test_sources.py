"""What the recorder tells of itself: disks, recordings, cameras, settings, virtual inputs."""

from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.audit import AuditEntry
from axis_nvr.services.disk_holds import Hold
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_sources import cameras, configuration, recordings, storage, system
from axis_nvr.services.event_sources.cameras import CameraEvents
from axis_nvr.services.event_sources.configuration import ConfigurationEvents
from axis_nvr.services.event_sources.recordings import RecordingEvents
from axis_nvr.services.event_sources.storage import StorageEvents
from axis_nvr.services.event_sources.system import SystemEvents
from axis_nvr.services.event_sources.virtual_inputs import (
    VIRTUAL_INPUT,
    NoVirtualInput,
    VirtualInputs,
)
from axis_nvr.services.stream_status import StreamState
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.wire.notification import Items, Notification, Operation
from tests.services.disk_fakes import FakeDisk


class SourceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.bus = EventBus(lambda: 1)
        self.heard: list[Notification] = []
        self.bus.subscribe(self.heard.append)

    def told(self, topic: str) -> list[tuple[Operation | None, str]]:
        """Operations and states of a topic, since the last time."""
        found = [(n.operation, n.data[0][1]) for n in self.heard if n.topic == topic]
        self.heard.clear()
        return found

    def data(self, topic: str, source: Items = ()) -> Items | None:
        state = self.bus.state(topic, source)
        return state and state.data


class StorageTests(SourceCase):
    """Told by what really keeps a disk."""

    DISK: Items = (("disk_id", "HDD_DISK"),)

    def setUp(self) -> None:
        super().setUp()
        self.disks: list[FakeDisk] = []
        self.clock = Clock()
        events = StorageEvents(self.bus, ["HDD_DISK", "SD_DISK"])
        self.keeper = DiskKeeper(self.make_disk, self.clock, [events])
        self.keeper.users.append(events)

    def make_disk(self) -> Disk:
        self.disks.append(FakeDisk())
        return cast(Disk, self.disks[-1])

    def open(self) -> None:
        self.disks[-1].say(DiskState.OK)
        self.disks[-1].starting.callback(None)

    def check(self, disruption: str, health: str) -> None:
        """Check what is said of the disk; both topics of a disruption say the same."""
        for topic in (storage.DISRUPTION, storage.FAILURE):
            self.assertEqual(self.data(topic, self.DISK), (("disruption", disruption),))
        self.assertEqual(
            self.data(storage.ALERT, self.DISK),
            (("alert", "0"), ("temperature", health), ("wear", health), ("overall_health", health)),
        )

    def test_from_the_start(self) -> None:
        """Every disk has all its events before it is in use: it is disrupted then."""
        self.check("1", "-3")
        self.assertEqual(len(self.bus.states()), 6)
        self.keeper.start()
        self.check("1", "-3")
        self.open()
        self.check("0", "-1")

    def test_a_slow_disk(self) -> None:
        """It takes most of what it is given: no disruption, until it is worse than slow."""
        self.keeper.start()
        self.open()
        self.disks[-1].say(DiskState.SLOW, "slow")
        self.check("0", "-1")
        self.disks[-1].say(DiskState.FULL, "full")
        self.check("1", "-1")
        self.disks[-1].say(DiskState.OK)
        self.check("0", "-1")

    def test_a_disruption(self) -> None:
        """It is told once when it begins and once when it ends."""
        self.keeper.start()
        self.open()
        self.heard.clear()
        self.disks[-1].say(DiskState.FULL, "full")
        self.disks[-1].say(DiskState.FAILED, "failed")
        self.check("1", "-1")
        self.disks[-1].say(DiskState.OK)
        self.check("0", "-1")
        told = [(Operation.CHANGED, "1"), (Operation.CHANGED, "0")]
        self.assertEqual(self.told(storage.DISRUPTION), told)

    def test_a_disk_that_is_not_there(self) -> None:
        """It is disrupted and has no health, until it is there."""
        self.keeper.start()
        self.open()
        self.disks[-1].say(DiskState.ABSENT, "gone")
        self.check("1", "-3")
        self.disks[-1].say(DiskState.OK)
        self.check("0", "-1")

    def test_opened_while_it_is_full(self) -> None:
        """To be in use is not enough."""
        self.keeper.start()
        self.disks[-1].say(DiskState.FULL, "full")
        self.disks[-1].starting.callback(None)
        self.check("1", "-1")

    def test_locked_and_unlocked(self) -> None:
        """A disk that a person has locked is disrupted."""
        self.keeper.start()
        self.open()
        self.keeper.hold(Hold.LOCKED)
        self.check("1", "-1")
        self.keeper.release(Hold.LOCKED)
        self.open()
        self.check("0", "-1")

    def test_one_disk_is_not_another(self) -> None:
        """What is told of one says nothing of the other."""
        self.keeper.start()
        self.open()
        other = (("disk_id", "SD_DISK"),)
        self.assertEqual(self.data(storage.DISRUPTION, other), (("disruption", "1"),))


class RecordingEventTests(SourceCase):
    def test_any_and_each(self) -> None:
        """One event says that anything is recorded, the other has an instance for each."""
        events = RecordingEvents(self.bus)
        self.assertEqual(self.data(recordings.ONGOING), (("recording", "0"),))
        self.heard.clear()
        for recording_id in ("a", "b"):
            events.recording_began(recording_id)
        self.assertEqual(self.told(recordings.ONGOING), [(Operation.CHANGED, "1")])
        events.recording_ended("a")
        told = [(Operation.CHANGED, "0"), (Operation.DELETED, "0")]
        self.assertEqual(self.told(recordings.STATE), told)
        self.assertEqual(self.data(recordings.ONGOING), (("recording", "1"),))
        events.recording_ended("b")
        events.recording_ended("b")
        self.assertEqual(self.told(recordings.ONGOING), [(Operation.CHANGED, "0")])
        self.assertEqual(len(self.bus.states()), 1)


class CameraEventTests(SourceCase):
    FRONT: Items = (("device", "front"),)

    def test_connected_while_any_stream_plays(self) -> None:
        """Two streams of a device: connected as long as one plays, gone with the last."""
        events = CameraEvents(self.bus)
        one, two = object(), object()
        for stream, state, expected in (
            (one, StreamState.CONNECTING, "0"),
            (one, StreamState.PLAYING, "1"),
            (two, StreamState.CONNECTING, "1"),
            (two, StreamState.PLAYING, "1"),
            (one, StreamState.WAITING, "1"),
            (two, StreamState.STOPPING, "0"),
            (two, StreamState.IDLE, "0"),
            (one, StreamState.PLAYING, "1"),
        ):
            events.stream_changed("front", stream, state)
            self.assertEqual(self.data(cameras.CONNECTED, self.FRONT), (("connected", expected),))
        events.stream_changed("front", one, StreamState.IDLE)
        self.assertIsNone(self.data(cameras.CONNECTED, self.FRONT))
        self.assertEqual(self.told(cameras.CONNECTED)[-1][0], Operation.DELETED)
        events.stream_changed("yard", one, StreamState.IDLE)
        self.assertEqual(self.told(cameras.CONNECTED), [])


class ConfigurationTests(SourceCase):
    def test_sections(self) -> None:
        """What was set is told by its section; all else in the audit log is not."""
        events = ConfigurationEvents(self.bus)
        for action, target, outcome in (
            ("create", "device front", "ok"),
            ("change", "disk HDD_DISK: wear", "ok"),
            ("change", "unlock disk HDD_DISK", "ok"),
            ("delete", "account x", "ok"),
            ("delete", "account x", "no such account"),
            ("change", "format disk HDD_DISK", "begun"),
            ("create", "recording 2024", "ok"),
            ("delete", "recording 2024", "ok"),
            ("create", "recording group x", "ok"),
            ("export", "recording group x", "ok"),
            ("lock", "recording x", "ok"),
            ("change", "something else", "ok"),
        ):
            events.noted(AuditEntry(7, "root", "::1", action, target, outcome))
        self.assertEqual({(n.operation, n.utc_us) for n in self.heard}, {(None, 7)})
        sections = [section for _, section in self.told(configuration.CHANGED)]
        self.assertEqual(sections, ["devices", "disks", "disks", "accounts", "recordinggroups"])


class VirtualInputTests(SourceCase):
    def test_changed_and_not(self) -> None:
        """There are 32, off at first; a change is told, and whether there was one."""
        inputs = VirtualInputs(self.bus)
        self.assertEqual(len(self.told(VIRTUAL_INPUT)), 32)
        for active, expected in ((False, False), (True, True), (True, False), (False, True)):
            self.assertIs(inputs.change(32, active), expected)
        told = [(Operation.CHANGED, "1"), (Operation.CHANGED, "0")]
        self.assertEqual(self.told(VIRTUAL_INPUT), told)

    def test_no_such_port(self) -> None:
        """Others are refused, and nothing is told."""
        inputs = VirtualInputs(self.bus)
        for port in (0, -1, 33):
            self.assertRaises(NoVirtualInput, inputs.change, port, True)
        self.assertEqual(len(self.bus.states()), 32)


class SystemTests(SourceCase):
    def test_all_three(self) -> None:
        """Ready and watched have a state; what failed is told each time, cut to a bound."""
        events = SystemEvents(self.bus)
        for topic, call in ((system.READY, events.ready), (system.LIVE_STREAM, events.live_stream)):
            self.heard.clear()
            cast(Any, call)(True)
            cast(Any, call)(True)
            self.assertEqual(self.told(topic), [(Operation.CHANGED, "1")])
        for _ in range(2):
            events.action_failed("x" * 5000)
        told = self.told(system.ACTION_FAILED)
        self.assertEqual(told, [(None, "x" * system.MAX_DESCRIPTION_CHARACTERS)] * 2)


class DeclarationTests(SourceCase):
    def test_every_event_says_what_it_is(self) -> None:
        """Nice names on every level, a state first in each property, and what lives is declared."""
        SystemEvents(self.bus)
        StorageEvents(self.bus, ["HDD_DISK"])
        RecordingEvents(self.bus)
        CameraEvents(self.bus)
        ConfigurationEvents(self.bus)
        VirtualInputs(self.bus)
        for topic, declaration in self.bus.declarations.items():
            self.assertTrue(declaration.nice_name, topic)
            self.assertTrue(all(i.nice_name for i in declaration.source + declaration.data), topic)
            levels = topic.split("/")
            for end in range(1, len(levels)):
                self.assertIn("/".join(levels[:end]), declaration.level_names)
            states = [item.is_state for item in declaration.data]
            self.assertEqual(states[:1], [declaration.is_property][: len(states)], topic)
            self.assertNotIn(True, states[1:])
        for state in self.bus.states():
            declaration = self.bus.declarations[state.topic]
            self.assertEqual([i.name for i in declaration.data], [name for name, _ in state.data])
            self.assertEqual([i.name for i in declaration.source], [n for n, _ in state.source])
        self.assertEqual(self.bus.declarations[storage.DISRUPTION].source[0].values, ("HDD_DISK",))
