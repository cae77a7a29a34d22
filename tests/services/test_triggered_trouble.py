"""What triggers record when something is not as it should be, and by recording groups."""

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.services import recordings as recordings_module
from axis_nvr.services.disk_holds import Hold
from axis_nvr.services.stream_errors import ErrorKind, StreamError
from axis_nvr.services.stream_status import StreamState
from axis_nvr.services.triggered import Armed
from axis_nvr.storage.groups import Group
from tests.services.recording_fakes import FRONT
from tests.services.triggering import FIXED, TriggerTestCase

DRIVE = Group("G-1", stream_options=FIXED, pre_ms=5000, post_ms=3000)


class TroubleTests(TriggerTestCase):
    def test_a_device_that_is_not_known_yet(self) -> None:
        """Said once; as soon as it is known it is recorded, if it still is to be."""
        self.know(None)
        armed = self.arm()
        self.assertIn("'front', which is not among the cameras", armed.status)
        armed.start(self.now_us)
        self.wait(40)
        self.assertEqual(len(self.told), 1)
        self.assertIn("not among the cameras", self.told[0])
        self.know(FRONT)
        self.assertEqual(armed.recording_id, "R1")
        self.play(2)
        armed.stop(self.now_us)
        self.play(11)
        self.assertEqual(self.ended(), ["R1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_device_that_goes(self) -> None:
        """What is recorded goes on to its end; the stream is let go of, and held again later."""
        armed = self.arm(post=1)
        self.play(3)
        armed.start(self.now_us)
        self.know(None)
        self.play(3)
        self.assertEqual(armed.recording_id, "R1")
        armed.stop(self.now_us)
        self.play(1.5)
        self.assertEqual(self.ended(), ["R1"])
        self.know(None)
        self.assertEqual(self.log[-1], "front stopped")
        self.know(FRONT)
        self.assertEqual((self.log[-1], armed.status), ("front started", "armed"))

    def test_too_many_run(self) -> None:
        """Tried again, less and less often, while it is triggered, and in the time after."""
        self.patch(recordings_module, "MAX_RUNS", 1)
        first, second = self.arm(post=0), self.arm(post=30)
        self.play(8.5)
        first.start(self.now_us)
        second.start(self.now_us)
        self.assertEqual((second.recording_id, len(self.told)), ("", 1))
        self.assertIn("1 recordings run already", second.status)
        second.stop(self.now_us)
        second.start(self.now_us)
        second.stop(self.now_us)
        second.start(self.now_us)
        first.stop(self.now_us)
        self.play(0.5)
        self.assertEqual((self.ended(), second.recording_id), (["R1"], ""))
        self.play(0.6)
        self.assertEqual(second.recording_id, "R2")
        self.assertEqual(self.frames(1)[0], 30, "from before the trigger, which was a second ago")
        second.stop(self.now_us)
        self.play(30.5)
        self.assertEqual(self.ended(), ["R1", "R2"])
        self.assertEqual(len(self.told), 1)

    def test_it_is_given_up(self) -> None:
        """What could not be recorded until the post-event time was over is over."""
        self.patch(recordings_module, "MAX_RUNS", 0)
        armed = self.arm(post=5)
        for expected in (1, 2):
            armed.pulse(self.now_us)
            self.wait(20)
            self.assertEqual((len(self.told), armed.status), (expected, "armed"))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_camera_that_is_away(self) -> None:
        """Said, and recorded from the moment on that it is back."""
        armed = self.arm()
        status = self.streams[0].status
        error = StreamError(ErrorKind.CONNECTION, "no route to host", 0)
        self.streams[0].status = replace(status, state=StreamState.WAITING, last_error=error)
        armed.start(self.now_us)
        self.assertEqual(self.told, ["front brings no pictures: no route to host"])
        self.wait(60)
        self.play(2.5)
        self.assertEqual(self.frames(), list(range(600, 620)))
        armed.stop(self.now_us)
        self.streams[0].newest_us = None
        self.streams[0].buffer.interrupt(Gap(0, 0, GapReason.DISCONNECTED))
        self.wait(10)
        self.assertEqual(self.ended(), ["R1"], "nobody waits for pictures of a camera that went")

    def test_a_camera_that_is_still_asked(self) -> None:
        """One that is being connected to for the first time has not failed."""
        armed = self.arm()
        status = self.streams[0].status
        self.streams[0].status = replace(status, state=StreamState.WAITING, last_error=None)
        armed.start(self.now_us)
        self.assertEqual(self.told, [])

    def test_a_disk_that_is_locked(self) -> None:
        """Said; what is kept is recorded once it is unlocked, and what runs then waits too."""
        armed = self.arm()
        self.play(8.5)
        self.successResultOf(self.keeper.hold(Hold.LOCKED))
        armed.start(self.now_us)
        self.assertEqual(self.told, [f"the disk HDD_DISK: {Hold.LOCKED.words}"])
        self.assertIn("as soon as the disk is ready", armed.status)
        self.play(2)
        self.successResultOf(self.keeper.release(Hold.LOCKED))
        self.assertEqual(armed.recording_id, "R1")
        self.assertEqual(self.frames(), list(range(30, 100)))
        self.assertEqual(self.disk.named_from[0] or 0, self.recording().gops[0].start_us)

    def test_ended_by_hand(self) -> None:
        """Who stops it by its id has it stopped, until it is triggered anew."""
        armed = self.arm(post=1)
        self.play(3)
        armed.start(self.now_us)
        self.successResultOf(Deferred.fromCoroutine(self.recordings.stop("R1")))
        self.play(3)
        armed.start(self.now_us)
        self.assertEqual((armed.status, self.ended()), ("ended by hand", ["R1"]))
        armed.stop(self.now_us)
        armed.start(self.now_us)
        self.assertEqual(armed.recording_id, "R2")
        armed.stop(self.now_us)
        self.successResultOf(Deferred.fromCoroutine(self.recordings.stop("R2")))
        self.assertEqual(armed.status, "armed")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_removed_while_it_records(self) -> None:
        """It goes on as another recording: what is to be recorded is, whatever is removed."""
        armed = self.arm()
        self.play(3)
        armed.start(self.now_us)
        self.successResultOf(Deferred.fromCoroutine(self.recordings.conclude("R1")))
        self.assertEqual((self.ended(), armed.recording_id), (["R1"], "R2"))
        self.play(1)
        self.assertEqual(self.frames(1)[0], 20)

    def test_disarmed(self) -> None:
        """What a rule records ends with it, at once and whole; again is nothing."""
        armed = self.arm()
        self.play(8.5)
        armed.start(self.now_us)
        self.play(1)
        self.successResultOf(armed.disarm())
        self.assertEqual(self.log[-1], "R1 closed")
        self.assertEqual(self.frames(), list(range(30, 95)))
        self.successResultOf(armed.disarm())
        armed.start(self.now_us)
        self.assertEqual(len(self.disk.recordings), 1)
        self.wait(11)
        self.assertEqual(self.log[-1], "front stopped")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_listener_that_raises(self) -> None:
        """It does not keep anything from being recorded."""
        self.know(None)
        armed = self.arm()

        def refuse(words: str) -> None:
            raise ValueError(words)

        armed.failed = refuse
        armed.start(self.now_us)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.know(FRONT)
        self.assertEqual(armed.recording_id, "R1")


class GroupTests(TriggerTestCase):
    def arm_group(self, rule: str = "r") -> Armed:
        return self.listen(self.triggered.arm_group("G-1", rule, f"{rule}'s action"))

    def test_one_recording(self) -> None:
        """However many rules drive a group: from the first trigger until the last has ended."""
        self.house.put(DRIVE)
        one, two, three = self.arm_group("one"), self.arm_group("two"), self.arm_group("three")
        self.assertEqual(len(self.streams), 1)
        self.play(8.5)
        two.start(self.now_us)
        self.play(2)
        one.start(self.now_us)
        two.stop(self.now_us)
        three.start(self.now_us)
        one.disarm()
        self.play(10)
        self.assertEqual({each.recording_id for each in (two, three)}, {"R1"})
        three.stop(self.now_us)
        self.play(2.9)
        self.assertEqual(self.ended(), [])
        self.play(0.4)
        self.assertEqual((self.ended(), len(self.disk.recordings)), (["R1"], 1))
        self.assertEqual(self.frames(), list(range(30, self.frames()[-1] + 1)))
        (details,) = self.disk.details
        self.assertEqual((details.group, details.trigger_name), ("G-1", "two"))
        self.assertEqual(details.trigger_trigger, "two's action")

    def test_not_known_yet(self) -> None:
        """A group whose disk comes later is recorded by from then on."""
        armed = self.arm_group()
        armed.start(self.now_us)
        self.assertEqual(self.told, ["no recording group 'G-1'"])
        self.assertEqual(self.streams, [])
        self.house.put(DRIVE)
        self.assertEqual(armed.recording_id, "R1")

    def test_other_times(self) -> None:
        """Longer before and after count at once, and other words change nothing."""
        self.house.put(DRIVE)
        armed = self.arm_group()
        armed.start(self.now_us)
        self.house.put(replace(DRIVE, pre_ms=20_000, post_ms=1000, nice_name="x"))
        self.assertEqual(self.streams[0].buffer.pre_event_seconds, 21)
        armed.stop(self.now_us)
        self.play(1.3)
        self.assertEqual((self.ended(), len(self.disk.recordings)), (["R1"], 1))

    def test_other_options(self) -> None:
        """What is recorded goes on as another recording of the other stream, same rule."""
        self.house.put(DRIVE)
        armed = self.arm_group("one")
        self.play(3)
        armed.start(self.now_us)
        self.house.put(replace(DRIVE, stream_options=f"{FIXED}&fps=5"))
        self.assertEqual((armed.recording_id, self.ended()), ("R2", ["R1"]))
        self.assertEqual(self.log[-2:], ["R1 closed", "front stopped"])
        self.assertEqual([one.request.options.get("fps") for one in self.streams], ["30", "5"])
        self.assertEqual(self.disk.details[1].trigger_name, "one")
        self.assertEqual([run.name for run in self.recordings.runs], ["front: one"])
        self.play(3)
        self.successResultOf(Deferred.fromCoroutine(self.recordings.stop("R1")))
        self.assertEqual((armed.status, self.ended()), ("ended by hand", ["R1", "R2"]))

    def test_options_that_cannot_be_followed(self) -> None:
        """It goes on as it was, and the log says why."""
        self.house.put(DRIVE)
        armed = self.arm_group()
        armed.start(self.now_us)
        self.patch(recordings_module, "MAX_RUNS", 1)
        with capturedLogs() as logged:
            self.house.put(replace(DRIVE, stream_options=f"{FIXED}&fps=5"))
        self.assertTrue(any("goes on with the old" in e.get("log_format", "") for e in logged))
        self.assertEqual((armed.recording_id, self.ended()), ("R1", []))
        self.assertEqual(self.recordings.runs[0].name, "front: r")
        armed.stop(self.now_us)
        self.play(3.5)
        self.assertEqual(self.ended(), ["R1"])

    def test_deleted(self) -> None:
        """What runs is ended by whoever deletes it; a trigger then has nothing to record by."""
        self.house.put(DRIVE)
        armed = self.arm_group()
        armed.start(self.now_us)
        (run,) = self.recordings.runs
        self.successResultOf(Deferred.fromCoroutine(self.recordings.end(run)))
        self.house.groups.clear()
        self.house.tell()
        armed.stop(self.now_us)
        self.assertEqual(self.log[-1], "front stopped")
        armed.start(self.now_us)
        self.assertEqual(self.told, ["no recording group 'G-1'"])
        self.assertEqual(armed.status, "cannot record: no recording group 'G-1'")
        armed.disarm()
        self.assertEqual(self.clock.getDelayedCalls(), [])
