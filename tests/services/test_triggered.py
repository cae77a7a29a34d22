"""Recording by rule: where it begins and ends, frame by frame, and who shares what."""

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from axis_nvr.errors import ConfigError
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.services.recordings import Order
from axis_nvr.services.triggered import TriggeredOrder
from tests.services.recording_fakes import FRONT
from tests.services.triggering import FIXED, NOON, TriggerTestCase


class FrameTests(TriggerTestCase):
    """A key frame is each tenth picture; the trigger comes 8.5 s after the camera began."""

    def test_from_before_till_after(self) -> None:
        """From the key frame at or before (trigger less 5 s) to 10 s after the end: each once."""
        armed = self.arm()
        self.play(8.5)
        armed.start(self.now_us)
        self.play(4)
        armed.stop(self.now_us)
        self.play(9.9)
        self.assertEqual(self.ended(), [])
        self.play(0.5)
        self.assertEqual(self.ended(), ["R1"])
        self.assertEqual(self.frames(), list(range(30, 226)))
        last_us = self.recording().gops[-1].units[-1].utc_us
        self.assertGreaterEqual(last_us, (NOON + 22.5) * 1e6, "the end and the post-event time")
        self.assertEqual(self.recording().gaps, [])

    def test_at_once(self) -> None:
        """It has its name in the breath in which it is triggered, and what was held is written."""
        armed = self.arm()
        self.play(8.5)
        self.assertEqual((armed.status, armed.recording_id), ("armed", ""))
        armed.start(self.now_us)
        self.assertEqual((armed.status, armed.recording_id), ("recording: R1", "R1"))
        self.assertEqual(self.frames(), list(range(30, 80)))
        self.assertEqual(self.disk.named_from, [(NOON + 3) * 1_000_000])

    def test_told_a_little_late(self) -> None:
        """What happened a moment ago is counted from then."""
        armed = self.arm()
        self.play(8.5)
        armed.start(self.now_us - 800_000)
        self.assertEqual(self.frames()[0], 20)

    def test_a_state_of_old_and_a_time_to_come(self) -> None:
        """What is told long after, or before, it happened counts from now."""
        for wrong_us in (-3_600_000_000, 60_000_000):
            with self.subTest(wrong_us=wrong_us):
                armed = self.arm()
                self.play(8.5)
                armed.start(self.now_us + wrong_us)
                self.assertEqual(self.frames(len(self.disk.recordings) - 1)[0] % 10, 0)
                armed.disarm()
        firsts = [self.frames(number)[0] for number in (0, 1)]
        self.assertEqual(firsts, [30, 120])

    def test_without_a_pre_event_time(self) -> None:
        """The group that is open is recorded from its key frame on, and nothing before."""
        armed = self.arm(pre=0, post=0)
        self.play(8.5)
        armed.start(self.now_us)
        self.play(1)
        armed.stop(self.now_us)
        self.play(0.3)
        self.assertEqual(self.ended(), ["R1"])
        self.assertEqual(self.frames(), list(range(80, 96)))

    def test_the_buffer_reaches_less_far(self) -> None:
        """What there is, from the first key frame on; the log says how much is missing."""
        armed = self.arm(pre=30)
        self.play(8.5)
        with capturedLogs() as logged:
            armed.start(self.now_us)
        self.assertEqual(self.frames()[0], 0)
        (event,) = [e for e in logged if "reaches no further" in e.get("log_format", "")]
        self.assertAlmostEqual(event["seconds"], 21.5)
        self.assertEqual(self.told, [], "it is recorded all the same")

    def test_a_camera_whose_clock_is_off(self) -> None:
        """The pre-event time is counted on the camera's clock, whatever that shows."""
        armed = self.arm()
        self.streams[0].lead_us = -40_000_000
        self.play(8.5)
        armed.start(self.now_us)
        self.play(1)
        armed.stop(self.now_us)
        self.play(10.3)
        self.assertEqual(self.frames(), list(range(30, 196)))

    def test_our_clock_steps(self) -> None:
        """The post-event time is ten seconds, however our clock is moved meanwhile."""
        armed = self.arm()
        self.play(8.5)
        armed.start(self.now_us)
        armed.stop(self.now_us)
        self.play(5)
        self.patch(self, "utc", lambda: NOON + 7200 + self.clock.seconds())
        self.play(4.9)
        self.assertEqual(self.ended(), [])
        self.play(0.4)
        self.assertEqual(self.ended(), ["R1"])

    def test_pictures_that_come_late(self) -> None:
        """The last ones are waited for, but not for ever."""
        armed = self.arm(post=1)
        self.play(8.5)
        armed.start(self.now_us)
        armed.stop(self.now_us)
        self.play(0.7)
        self.clock.pump([0.1] * 12)
        self.assertEqual(self.ended(), [])
        self.play(0.4)
        self.assertEqual(self.ended(), ["R1"])
        self.assertEqual(self.frames()[-1], 95)
        armed.start(self.now_us)
        armed.stop(self.now_us)
        self.clock.pump([0.1] * 29)
        self.assertEqual(self.ended(), ["R1"])
        self.clock.pump([0.1] * 2)
        self.assertEqual(self.ended(), ["R1", "R2"])


class ExtensionTests(TriggerTestCase):
    def test_within_the_post_event_time(self) -> None:
        """A start extends the same recording; the post-event time counts from the new end."""
        armed = self.arm(post=3)
        self.play(8.5)
        armed.start(self.now_us)
        armed.stop(self.now_us)
        self.play(2.5)
        armed.start(self.now_us)
        armed.start(self.now_us)
        self.play(20)
        armed.stop(self.now_us)
        armed.stop(self.now_us)
        self.play(2.9)
        self.assertEqual((armed.recording_id, self.ended()), ("R1", []))
        self.play(0.4)
        self.assertEqual(self.ended(), ["R1"])
        self.assertEqual(self.frames(), list(range(30, self.frames()[-1] + 1)))
        armed.start(self.now_us)
        self.assertEqual(armed.recording_id, "R2")

    def test_a_pulse(self) -> None:
        """Pre-event time and post-event time around it, and no more."""
        armed = self.arm(pre=2, post=4)
        self.play(8.5)
        armed.pulse(self.now_us)
        self.play(4.4)
        self.assertEqual(self.ended(), ["R1"])
        self.assertEqual(self.frames(), list(range(60, 126)))

    def test_a_pulse_in_another(self) -> None:
        """It extends the recording until its own post-event time is over."""
        armed = self.arm(pre=2, post=4)
        self.play(8.5)
        armed.pulse(self.now_us)
        self.play(3)
        armed.pulse(self.now_us)
        self.play(3.9)
        self.assertEqual(self.ended(), [])
        self.play(0.5)
        self.assertEqual((self.ended(), len(self.disk.recordings)), (["R1"], 1))

    def test_a_pulse_in_something_longer(self) -> None:
        """It changes nothing: that ends later anyway."""
        armed = self.arm(post=1)
        armed.start(self.now_us)
        armed.pulse(self.now_us)
        self.play(5)
        self.assertEqual(self.ended(), [])

    def test_an_end_without_a_beginning(self) -> None:
        """Nothing."""
        self.arm().stop(self.now_us)
        self.assertEqual((self.disk.recordings, self.clock.getDelayedCalls()), ([], []))


class SharingTests(TriggerTestCase):
    def test_ten_rules(self) -> None:
        """Ten rules on one camera and stream: one session, one buffer, the longest time."""
        rules = [self.arm(pre=number, rule=f"rule {number}") for number in range(1, 11)]
        self.assertEqual(len(self.streams), 1)
        self.assertEqual(self.streams[0].buffer.pre_event_seconds, 11)
        self.play(15.5)
        for armed in rules:
            armed.start(self.now_us)
        self.assertEqual(len(self.streams), 1)
        told = [(report.names, report.state) for report in self.triggered.reports]
        self.assertEqual(told, [((f"rule {number}",), "recording") for number in range(1, 11)])
        firsts = [self.frames(number)[0] for number in range(10)]
        self.assertEqual(firsts, [150 - 10 * number for number in range(1, 11)])
        rules[-1].disarm()
        self.wait(11)
        self.assertEqual(self.streams[0].buffer.pre_event_seconds, 10)
        self.play(1)
        for armed in rules:
            armed.disarm()
        self.wait(11)
        self.assertEqual(self.log[-1], "front stopped")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_with_what_is_recorded_continuously(self) -> None:
        """The same stream where the camera is sent the same, and the group is written once each."""
        self.recordings.begin(Order("HDD_DISK", FIXED))
        armed = self.arm()
        self.assertEqual(len(self.streams), 1)
        self.play(8.5)
        armed.pulse(self.now_us)
        self.play(12)
        self.assertEqual(self.ended(), ["R2"])
        self.play(1)
        frames = self.frames(0)
        self.assertEqual(frames, list(range(210)), "the end of one does not harm the other")

    def test_where_the_modes_are_left_to_the_camera(self) -> None:
        """A stream that may be dynamic is not what a pre-buffer needs: it has its own."""
        self.arm(pre=0, options="device=front")
        self.arm(pre=5, options="device=front")
        sent = [stream.request.sent_options for stream in self.streams]
        self.assertEqual(["videozgopmode=fixed" in options for options in sent], [False, True])

    def test_a_rule_that_is_made_anew(self) -> None:
        """It finds stream and buffer as its predecessor left them; nothing is asked anew."""
        self.arm().disarm()
        self.play(9)
        armed = self.arm(rule="the same, changed")
        self.play(9.5)
        self.assertEqual(self.log, ["front started"])
        armed.start(self.now_us)
        self.assertEqual(self.frames()[0], 130)
        armed.disarm()
        self.play(1)
        self.triggered.halt()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_the_disk_is_told(self) -> None:
        """Type, rule, action and the options that were sent."""
        self.arm(options="device=front&camera=2", rule="Motion").start(self.now_us)
        (details,) = self.disk.details
        self.assertEqual(
            (details.trigger_type, details.trigger_name, details.trigger_trigger, details.group),
            ("triggered", "Motion", "Motion's action", ""),
        )
        self.assertEqual((details.device, details.source_token), ("front", 2))
        self.assertIn("videozgopmode=fixed", details.stream_options)
        (run,) = self.recordings.runs
        self.assertEqual(run.name, "front: Motion")

    def test_doubtful_options(self) -> None:
        """What does not work well with a pre-buffer is recorded, and told in log and status."""
        options = "device=front&videozgopmode=dynamic&videozfpsmode=fixed"
        self.recordings.begin(Order("HDD_DISK", options))
        with capturedLogs() as logged:
            self.arm(options=options)
        self.assertTrue(any("videozgopmode" in str(e.get("doubt")) for e in logged))
        ((request, _),) = self.registry.streams
        self.assertTrue(request.pre_buffer)

    def test_an_outage_within(self) -> None:
        """A camera that goes and comes back leaves one recording with a gap."""
        armed = self.arm()
        self.play(8.5)
        armed.start(self.now_us)
        outage = Gap(self.now_us, self.now_us, GapReason.DISCONNECTED)
        self.streams[0].buffer.interrupt(outage)
        self.play(5)
        self.assertEqual([gap.reason for gap in self.recording().gaps], [GapReason.DISCONNECTED])
        self.assertEqual(self.frames()[50:56], [80, 81, 82, 83, 84, 90])

    def test_what_can_never_be(self) -> None:
        """Options that cannot be read and times that are none are refused; nothing is held."""
        for options, pre, post in (
            ("fps=25", 5, 5),
            ("device=front&audio=2", 5, 5),
            ("device=front", -1, 5),
            ("device=front", 5, float("inf")),
            ("device=front", float("nan"), 5),
        ):
            order = TriggeredOrder("HDD_DISK", options, pre, post)
            self.assertRaises(ConfigError, self.triggered.arm, order)
            self.assertRaises(ConfigError, self.triggered.check, order)
        for order in (
            TriggeredOrder("HDD_DISK", "device=nobody", 5, 5),
            TriggeredOrder("NAS", "device=front", 5, 5),
        ):
            self.assertRaises(ConfigError, self.triggered.check, order)
        self.triggered.check(TriggeredOrder("HDD_DISK", "device=front", 5, 5))
        self.assertEqual(self.streams, [])

    def test_before_the_recorder_starts(self) -> None:
        """A rule that is armed early holds its stream from the start on."""
        self.triggered.halt()
        armed = self.arm()
        armed.start(self.now_us)
        self.assertEqual((self.log, armed.recording_id), ([], ""))
        self.assertIn("has not started", armed.status)
        self.triggered.start()
        self.assertEqual(self.log, ["front started"])
        armed.start(self.now_us)
        self.assertEqual(armed.recording_id, "R1")

    def test_the_recorder_stops(self) -> None:
        """Nothing is begun any more, no timer is left, and all that ran is whole."""
        one, two = self.arm(), self.arm()
        one.start(self.now_us)
        two.pulse(self.now_us)
        self.know(None)
        three = self.arm(options="device=front")
        three.start(self.now_us)
        self.triggered.halt()

        self.successResultOf(Deferred.fromCoroutine(self.recordings.end_all()))
        three.start(self.now_us)
        self.know(FRONT)
        self.assertEqual(self.ended(), ["R1", "R2"])
        one.stop(self.now_us)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        one.disarm()
        self.assertEqual(self.clock.getDelayedCalls(), [])
