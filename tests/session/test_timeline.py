"""The timeline: a simulated camera with clocks of its own, and the times that come out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.session.session_clock import SessionClock
from axis_nvr.session.timeline import Timeline

RATE = 90_000
EPOCH_US = 1_706_702_400_000_000  # 2024-01-31T12:00:00Z
FRAME = 0.040


@dataclass
class Camera:
    """A camera that sends frames and reports to a timeline, on a clock we set.

    All functions take true seconds since the start and give what each clock shows then.
    """

    timeline: Timeline
    media_seconds: Callable[[float], float] = lambda t: t
    wall_seconds: Callable[[float], float] = lambda t: t
    our_seconds: Callable[[float], float] = lambda t: t
    delay: Callable[[float], float] = lambda t: 0.030
    first_tick: int = 12_345
    clock_rate: int = RATE
    gaps: list[Gap] = field(default_factory=list)

    def ticks(self, t: float) -> int:
        return self.first_tick + round(self.media_seconds(t) * self.clock_rate)

    def frame(self, t: float, ticks: int | None = None) -> float:
        """Send a frame taken at t; tell which time came out, in seconds since the start."""
        arrival = t + self.delay(t)
        utc_us = self.timeline.utc_us(self.ticks(t) if ticks is None else ticks, *self.now(arrival))
        if (gap := self.timeline.take_gap()) is not None:
            self.gaps.append(gap)
        return (utc_us - EPOCH_US) / 1e6

    def report(self, t: float) -> None:
        """Send a sender report made at t."""
        self.timeline.sender_report(
            self.ticks(t) & 0xFFFF_FFFF,
            EPOCH_US + round(self.wall_seconds(t) * 1e6),
            *self.now(t + self.delay(t)),
        )

    def now(self, t: float) -> tuple[float, int]:
        return 1_000.0 + t, EPOCH_US + round(self.our_seconds(t) * 1e6)

    def run(self, start: float, end: float, interval: float = 5.0) -> list[tuple[float, float]]:
        """Frames each 40 ms and reports each interval; what was true and what came out."""
        times = []
        for number in range(round(start / FRAME), round(end / FRAME)):
            t = number * FRAME
            if interval and number % round(interval / FRAME) == 0:
                self.report(t)
            times.append((t, self.frame(t)))
        return times


def step_at(moment: float, by: float) -> Callable[[float], float]:
    """A clock that steps once."""
    return lambda t: t + (by if t >= moment else 0.0)


class TimelineTestCase(SynchronousTestCase):
    def camera(self, clock_rate: int = RATE, clock: SessionClock | None = None) -> Camera:
        return Camera(Timeline(clock_rate, clock), clock_rate=clock_rate)

    def assert_close(
        self, times: list[tuple[float, float]], tolerance: float, offset: float = 0.0
    ) -> None:
        worst = max(times, key=lambda pair: abs(pair[1] - pair[0] - offset))
        self.assertLessEqual(
            abs(worst[1] - worst[0] - offset), tolerance, f"true {worst[0]}, told {worst[1]}"
        )

    def assert_near(self, told: float, true: float, tolerance: float) -> None:
        self.assertLessEqual(abs(told - true), tolerance, f"told {told}, true {true}")

    def assert_spaced(self, times: list[tuple[float, float]], tolerance: float) -> None:
        """Whatever is two seconds apart is told two seconds apart."""
        errors = [told - true for true, told in sorted(times)]
        apart = round(2.0 / FRAME)
        worst = max(abs(b - a) for a, b in zip(errors, errors[apart:], strict=False))
        self.assertLessEqual(worst, tolerance)

    def assert_rising(self, times: list[tuple[float, float]]) -> None:
        told = [pair[1] for pair in times]
        self.assertEqual(told, sorted(set(told)))


class SenderReportTests(TimelineTestCase):
    def test_report_before_the_first_frame(self) -> None:
        """With a report first, every frame has the camera's own time, to the microsecond."""
        camera = self.camera()
        camera.wall_seconds = lambda t: t + 0.5
        camera.report(-0.01)
        times = [(n * FRAME, camera.frame(n * FRAME)) for n in range(100)]
        self.assert_close(times, 2e-6, offset=0.5)
        self.assertEqual(camera.gaps, [])
        self.assertTrue(camera.timeline.clock.believed)

    def test_spacing_is_that_of_the_ticks(self) -> None:
        """Between reports frames are as far apart as their timestamps, whatever arrival does."""
        camera = self.camera()
        camera.delay = lambda t: 0.03 + 0.4 * (round(t * 1000) % 7 == 0)
        camera.report(-0.01)
        told = [camera.frame(n * FRAME) for n in range(100)]
        spacing = {round((b - a) * 1e6) for a, b in pairwise(told)}
        self.assertLessEqual(spacing, {39_999, 40_000, 40_001})

    def test_delay_is_taken_out_slowly(self) -> None:
        """Anchored at a late arrival, the timeline turns to the camera's time by 0.5 ms a second.

        It begins to once three reports agree, and no two seconds are more than a millisecond off.
        """
        camera = self.camera()
        camera.delay = lambda t: 0.020
        times = camera.run(0.0, 1.0, interval=0.0)
        self.assert_close(times, 1e-5, offset=0.020)
        times += camera.run(1.0, 11.0)
        self.assert_close(times, 1e-5, offset=0.020)
        times += camera.run(11.0, 80.0)
        self.assert_spaced(times, 0.00102)
        self.assert_close(times[1600:], 0.001)
        self.assertEqual(camera.gaps, [])

    def test_held_units_tell_the_delay(self) -> None:
        """Units that are held for a while: the quickest of them tells the time of the first."""
        camera = self.camera()
        camera.delay = lambda t: 0.173 if t < 0.5 else 0.005
        for n in range(25):
            t = n * FRAME
            camera.timeline.arrived(camera.ticks(t), *camera.now(t + camera.delay(t)))
        times = camera.run(0.0, 60.0)
        self.assert_close(times, 0.005 + 1e-5)
        self.assertEqual(camera.gaps, [])

    def test_several_reports_before_the_first_frame(self) -> None:
        """All reports that came while units were held are used: the median of them."""
        camera = self.camera()
        for n, error in enumerate((0.1, 0.0, -0.033)):
            camera.wall_seconds = lambda t, e=error: t + e  # type: ignore[misc]
            camera.report(0.6 * n)
        self.assertAlmostEqual(camera.frame(0.0), 0.0, places=5)

    def test_drift(self) -> None:
        """A media clock that is off by 200 ppm is followed to a millisecond after few reports."""
        for ppm in (200, -200, 50, 900):
            with self.subTest(ppm=ppm):
                camera = self.camera()
                camera.media_seconds = lambda t, rate=1 + ppm * 1e-6: t * rate  # type: ignore[misc]
                camera.report(-0.01)
                times = camera.run(0.0, 300.0)
                self.assert_rising(times)
                self.assertEqual(camera.gaps, [])
                self.assert_close(times[:750], 0.001 + abs(ppm) * 1e-6 * 25)
                self.assert_close(times[1000:], 0.001)
                self.assert_near(camera.timeline.drift_ppm, -ppm, 0.05 * abs(ppm))

    def test_noisy_reports(self) -> None:
        """Reports that jitter by 20 ms: the time keeps within that, and it keeps rising."""
        camera = self.camera()
        camera.wall_seconds = lambda t: t + 0.02 * ((round(t) * 7919) % 11 - 5) / 5
        camera.report(-0.01)
        times = camera.run(0.0, 300.0)
        self.assert_rising(times)
        self.assert_close(times[1500:], 0.020)
        self.assertEqual(camera.gaps, [])

    def test_a_step_is_a_gap(self) -> None:
        """The clock steps by 3 s: at the second report so does the time, and a gap says so."""
        for by in (3.0, -3.0, 0.25):
            with self.subTest(by=by):
                camera = self.camera()
                camera.wall_seconds = step_at(19.0, by)
                times = camera.run(0.0, 60.0)
                self.assert_close(times[50:625], 0.001)
                self.assert_close(times[627:], 0.001, offset=by)
                (gap,) = camera.gaps
                self.assertEqual(gap.reason, GapReason.CLOCK_STEPPED)
                self.assertLess(gap.start_us, gap.end_us)
                self.assert_near((gap.end_us - gap.start_us) / 1e6, abs(by + FRAME), 0.002)

    def test_first_report_far_from_arrival_is_a_gap(self) -> None:
        """A camera whose clock is 20 s off ours: two reports, one step, and it is exact."""
        camera = self.camera()
        camera.wall_seconds = lambda t: t - 20.0
        times = camera.run(0.0, 2.0, interval=0.0)
        camera.report(2.0)
        times = camera.run(2.0, 5.0)
        self.assert_close(times, 0.0011, offset=0.030)
        times = camera.run(5.0, 30.0)
        self.assert_close(times, 0.0011, offset=-20.0)
        self.assertEqual([gap.reason for gap in camera.gaps], [GapReason.CLOCK_STEPPED])

    def test_nonsense_clocks_are_ignored(self) -> None:
        """Reports of 1900, 1970, 0 or uptime change nothing."""
        camera = self.camera()
        expected = self.camera()
        for t in range(10):
            for clock_us in (-2_208_988_800_000_000, 0, 3_600_000_000, 2_085_978_496_000_000 + t):
                camera.timeline.sender_report(camera.ticks(t), clock_us, *camera.now(t))
            self.assertEqual(camera.frame(t), expected.frame(t))
        self.assertEqual(camera.timeline.ignored_reports, 40)
        self.assertIsNone(camera.timeline.clock.camera_clock_offset_us)

    def test_reports_about_another_stream_are_ignored(self) -> None:
        """A report whose RTP timestamp is minutes from the frames says nothing about them."""
        camera = self.camera()
        camera.run(0.0, 1.0, interval=0.0)
        camera.timeline.sender_report(0x8000_0000, EPOCH_US, *camera.now(1.0))
        self.assertEqual(camera.timeline.ignored_reports, 1)
        early = self.camera()
        early.timeline.sender_report(0x8000_0000, EPOCH_US, *early.now(0.0))
        self.assertAlmostEqual(early.frame(0.0), 0.030, places=5)

    def test_wrapped_report(self) -> None:
        """Frames go on past 2³², reports come with 32 bits: they are brought together."""
        camera = self.camera()
        camera.first_tick = 2**32 - 5 * RATE
        camera.report(-0.01)
        times = camera.run(0.0, 60.0)
        self.assert_close(times, 0.001)
        self.assertEqual((camera.gaps, camera.timeline.ignored_reports), ([], 0))


class RoughReportTests(TimelineTestCase):
    """GStreamer's server, and cameras like it: perfect ticks, reports off by B-frames."""

    ERRORS = (0.100, 0.0, -0.033, -0.067)

    def rough(self, seed: int, first_report: float, ppm: float = 0.0) -> tuple[Camera, list[float]]:
        """Run ten minutes of B-frames with jitter and such reports; give true less told."""
        random, camera = Random(seed), self.camera()
        camera.media_seconds = lambda t: t * (1 + ppm * 1e-6)
        camera.delay = lambda t: 0.020 + abs(random.gauss(0, 0.010))
        times, due = [], first_report
        for number in range(15_000):
            if number * FRAME >= due:
                error = random.choice(self.ERRORS) + random.gauss(0, 0.002)
                camera.wall_seconds = lambda t, error=error: t + error  # type: ignore[misc]
                camera.report(number * FRAME)
                due += random.uniform(3, 7)
            picture = number // 3 * 3 + (2, 0, 1)[number % 3]  # P first, then two B
            times.append((picture * FRAME, camera.frame(picture * FRAME)))
        times.sort()
        self.assert_rising(times)
        self.assert_spaced(times, 0.00125)
        return camera, [told - true for true, told in times]

    def test_spacing_offset_and_no_step(self) -> None:
        """Frames keep their distance, nothing steps, time comes to the median of the reports."""
        for seed in range(6):
            with self.subTest(seed=seed):
                camera, errors = self.rough(seed, first_report=(-0.01, 2.0)[seed % 2])
                self.assertEqual((camera.gaps, camera.timeline.doubted_reports), ([], 0))
                self.assertLess(max(abs(b - a) for a, b in pairwise(errors)), 0.000_04)
                self.assertLess(max(map(abs, errors)), 0.105)
                self.assert_near(errors[-1], -0.0165, 0.025)

    def test_drift_beneath_the_noise(self) -> None:
        """60 ppm, which such reports do not show for minutes, leads nowhere."""
        camera, errors = self.rough(1, 2.0, ppm=60)
        self.assertEqual(camera.gaps, [])
        self.assert_near(errors[-1], -0.0165, 0.035)

    def test_one_bad_report(self) -> None:
        """A report that is off alone, by 150 ms or a year, makes nothing but a count."""
        for error in (0.25, -0.3, 5.0, -3e7):
            with self.subTest(error=error):
                camera = self.camera()
                camera.wall_seconds = lambda t, e=error: t + (e if 60 < t < 66 else 0)  # type: ignore[misc]
                camera.report(-0.01)
                times = camera.run(0.0, 120.0)
                self.assert_close(times, 1e-5)
                self.assertEqual((camera.gaps, camera.timeline.doubted_reports), ([], 1))

    def test_bad_reports_raise_the_bar(self) -> None:
        """Where one report in four is off by 300 ms, two such in a row are no step either."""
        camera = self.camera()
        bad = {8, 12, 16, 20, 24, 25, 33, 40, 41}
        camera.wall_seconds = lambda t: t + (0.3 if round(t / 5) in bad else 0)
        camera.report(-0.01)
        times = camera.run(0.0, 300.0)
        self.assert_close(times, 1e-5)
        self.assertEqual((camera.gaps, camera.timeline.doubted_reports), ([], len(bad)))

    def test_a_rough_step_needs_three(self) -> None:
        """Reports after a step that differ by 100 ms: three of them show it."""
        camera = self.camera()
        rough = (0.05, -0.05, 0.0)
        camera.wall_seconds = lambda t: t + (3.0 + rough[round(t / 5) % 3] if t > 59 else 0.0)
        camera.report(-0.01)
        times = camera.run(0.0, 90.0)
        self.assert_close(times[:1750], 1e-5)
        self.assert_close(times[1751:], 0.051, offset=3.0)
        self.assertEqual(len(camera.gaps), 1)


class BeliefTests(TimelineTestCase):
    def test_a_clock_far_off_sets_the_pace_only(self) -> None:
        """A camera in 2000: the time stays ours, its rate is followed, the offset is told."""
        camera = self.camera()
        camera.wall_seconds = lambda t: t - 24 * 365.25 * 86_400
        camera.media_seconds = lambda t: t * 1.0002
        times = camera.run(0.0, 120.0)
        self.assert_close(times, 0.04)
        self.assert_rising(times)
        self.assertEqual(camera.gaps, [])
        clock = camera.timeline.clock
        self.assertFalse(clock.believed)
        assert clock.camera_clock_offset_us is not None
        self.assert_near(clock.camera_clock_offset_us / 1e6, -24 * 365.25 * 86_400, 1)

    def test_a_clock_that_is_set_right(self) -> None:
        """A camera that finds its NTP server is believed from then on, without a leap of ours."""
        camera = self.camera()
        camera.wall_seconds = lambda t: t - (1_000_000.0 if t < 30 else 0.0)
        times = camera.run(0.0, 60.0)
        self.assert_close(times, 0.04)
        self.assertTrue(camera.timeline.clock.believed)
        self.assert_close(times[900:], 0.001)

    def test_a_clock_that_goes_mad(self) -> None:
        """A believed clock that leaps to another year is no longer believed; time goes on."""
        camera = self.camera()
        camera.wall_seconds = lambda t: t - (1e8 if t >= 30 else 0.0)
        times = camera.run(0.0, 60.0)
        self.assert_close(times[50:], 0.001)
        self.assertEqual(camera.gaps, [])
        self.assertFalse(camera.timeline.clock.believed)

    def test_our_clock_steps_under_a_believed_one(self) -> None:
        """The recorder's clock is moved by an hour: the camera's time is given out unbent."""
        camera = self.camera()
        camera.our_seconds = step_at(30.0, 3_600.0)
        times = camera.run(0.0, 60.0)
        self.assert_close(times[50:], 0.001)
        self.assertEqual(camera.gaps, [])
        self.assertAlmostEqual(camera.timeline.clock.recorder_clock_step_us / 1e6, 3_600, places=3)

    def test_our_clock_steps_without_reports(self) -> None:
        """Without reports it bends nothing either."""
        camera = self.camera()
        camera.our_seconds = step_at(30.0, 3_600.0)
        times = camera.run(0.0, 60.0, interval=0.0)
        self.assert_close(times, 0.001, offset=0.030)
        self.assertEqual(camera.gaps, [])

    def test_our_clock_is_set_right(self) -> None:
        """When ours comes near the camera's, the camera is believed: one gap."""
        camera = self.camera()
        camera.our_seconds = lambda t: t + (0.0 if t >= 30 else -86_400.0)
        times = camera.run(0.0, 60.0)
        self.assert_close(times[:700], 0.04, offset=-86_400)
        self.assert_close(times[800:], 0.001)
        self.assertEqual([gap.reason for gap in camera.gaps], [GapReason.CLOCK_STEPPED])

    def test_an_unbelieved_clock_does_not_lead_away(self) -> None:
        """One that gains 1 % on ours is brought back by steps, with gaps."""
        camera = self.camera()
        camera.wall_seconds = lambda t: t * 1.01 - 1e8
        camera.media_seconds = lambda t: t * 1.01
        times = camera.run(0.0, 600.0)
        self.assert_close(times, 1.6)
        self.assertTrue(camera.gaps)


class TogetherTests(TimelineTestCase):
    def pair(self) -> tuple[Camera, Camera]:
        """Video, and audio that is on its way for longer."""
        clock = SessionClock()
        video, audio = self.camera(clock=clock), self.camera(8_000, clock)
        audio.delay = lambda t: 0.070
        audio.first_tick = 77
        return video, audio

    def test_a_step_moves_all_tracks(self) -> None:
        """The video's report shows a step, the audio's confirms it: both follow at once."""
        video, audio = self.pair()
        video.wall_seconds = audio.wall_seconds = step_at(200.0, 2.0)
        for second in range(260):
            if second % 5 == 0:
                video.report(second)
            if second % 5 == 4:
                audio.report(second)
            seen = [(t, video.frame(t)) for t in (second + 0.1, second + 0.5)]
            heard = [(t, audio.frame(t)) for t in (second + 0.1, second + 0.5)]
            if second > 180:
                self.assert_close(seen, 0.002, offset=2.0 if second >= 204 else 0.0)
                self.assert_close(heard, 0.002, offset=2.0 if second >= 204 else 0.0)
        for camera in (video, audio):
            self.assertEqual([gap.reason for gap in camera.gaps], [GapReason.CLOCK_STEPPED])

    def test_belief_is_common(self) -> None:
        """A clock far off: both tracks keep to ours, and to each other."""
        video, audio = self.pair()
        video.wall_seconds = audio.wall_seconds = lambda t: t + 500.0
        for second in range(30):
            video.report(second)
            audio.report(second + 0.5)
            pictures, sound = video.frame(second + 0.6), audio.frame(second + 0.6)
            if second > 5:
                self.assert_near(pictures, sound, 0.002)
                self.assert_near(pictures, second + 0.6, 0.05)
        self.assertEqual(video.gaps + audio.gaps, [])

    def test_a_track_without_reports_keeps_up(self) -> None:
        """Only the video has reports; its clock gains on ours, and the audio goes with it."""
        video, audio = self.pair()
        video.wall_seconds = lambda t: 10.0 + t * 1.0002
        video.media_seconds = audio.media_seconds = lambda t: t * 1.0002
        apart = []
        for second in range(1_000):
            if second % 5 == 0:
                video.report(second)
            apart.append(video.frame(second + 0.1) - audio.frame(second + 0.1))
        self.assertLess(max(abs(seconds) for seconds in apart[20:]), 0.1)

    def test_jump_of_one_track(self) -> None:
        """Timestamps of one track that leap do not move the other."""
        video, audio = self.pair()
        video.media_seconds = lambda t: t - (5.0 if t >= 22.5 else 0.0)
        for second in range(60):
            if second % 5 == 0:
                video.report(second)
                audio.report(second)
            video.frame(second + 0.1)
            heard = audio.frame(second + 0.1)
            if second > 5:
                self.assert_near(heard, second + 0.1, 0.001)
        self.assertEqual(audio.gaps, [])


class ArrivalTests(TimelineTestCase):
    def test_no_report_at_all(self) -> None:
        """Some Hikvision send none: arrival is the time, and drift is followed smoothly."""
        camera = self.camera()
        camera.media_seconds = lambda t: t * 1.0003
        camera.delay = lambda t: 0.03 + 0.02 * ((round(t * 25) * 7919) % 13) / 13
        times = camera.run(0.0, 600.0, interval=0.0)
        self.assert_close(times, 0.03, offset=0.04)
        self.assert_rising(times)
        self.assertEqual(camera.gaps, [])

    def test_a_stall_is_not_a_step(self) -> None:
        """The network stands for 5 s and catches up: times are what they would have been."""
        camera = self.camera()
        camera.delay = lambda t: 0.03 + (20.0 - t if 15 < t < 20 else 0.0)
        times = camera.run(0.0, 60.0, interval=0.0)
        self.assert_close(times, 0.001, offset=0.030)
        self.assertEqual(camera.gaps, [])

    def test_burst_of_buffered_frames_at_the_start(self) -> None:
        """Quirk 24: 4 s of frames at once, then live: one step back, none after it."""
        for reports in (0.0, 5.0):
            with self.subTest(reports=reports):
                camera = self.camera()
                camera.delay = lambda t: max(4.0 - t, 0.0) + 0.03
                times = camera.run(0.0, 60.0, interval=reports)
                self.assert_close(times[250:], 0.031)
                self.assertLessEqual(len(camera.gaps), 1)

    def test_the_gap_comes_with_the_unit_that_steps(self) -> None:
        """A step that arrivals ask for is told with the first unit behind it, not one before."""
        timeline = Timeline(RATE)
        for ticks, now in [(0, 0.0), (0, 0.0), (22_501, 0.0), (189_000, 2.0)]:
            told = timeline.utc_us(ticks, now, EPOCH_US + round(now * 1e6))
        self.assertEqual(told, EPOCH_US + 1_849_989)
        self.assertEqual(
            timeline.take_gap(),
            Gap(
                EPOCH_US + 250_011,
                EPOCH_US + 1_849_989,
                GapReason.CLOCK_STEPPED,
                detail="time stepped by -0.250 s",
            ),
        )
        self.assertEqual(timeline.utc_us(189_000, 2.0, EPOCH_US + 2_000_000), told)
        self.assertIsNone(timeline.gap)

    def test_pictures_sent_before_their_turn(self) -> None:
        """P pictures come early: time goes by the others, which are late by a picture at most."""
        for held in (False, True):
            with self.subTest(held=held):
                camera = self.camera()
                order = [0, *(n + m for n in range(0, 3_000, 3) for m in (3, 1, 2))]
                sent = [(n, number * FRAME) for number, n in enumerate(order)]
                for n, at in sent[:25] if held else []:
                    camera.timeline.arrived(camera.ticks(n * FRAME), *camera.now(at))
                told = []
                for n, at in sent:
                    camera.delay = lambda t, at=at: at - t  # type: ignore[misc]
                    told.append((n * FRAME, camera.frame(n * FRAME)))
                self.assert_close(told, FRAME + 1e-5)
                self.assert_spaced(told, 0.00102)
                self.assertEqual(camera.gaps, [])

    def test_declared_is_not_delivered(self) -> None:
        """Quirk 24: stamped for 25 fps, 21 delivered: measured, and no steps after that."""
        for reports in (0.0, 5.0):
            for pace in (21 / 25, 25 / 20):
                with self.subTest(reports=reports, pace=pace):
                    camera = self.camera()
                    camera.media_seconds = lambda t, pace=pace: t * pace  # type: ignore[misc]
                    times = camera.run(0.0, 120.0, interval=reports)
                    gaps = len(camera.gaps)
                    self.assertLessEqual(gaps, 6)
                    times = camera.run(120.0, 240.0, interval=reports)
                    self.assert_close(times, 0.15)
                    self.assertEqual(len(camera.gaps), gaps)


class JumpTests(TimelineTestCase):
    """Quirk 24: timestamps that leap."""

    def test_intelbras_single_frame_hours_away(self) -> None:
        """Quirk 24: one frame far off gets its place by the frame spacing; nothing moves."""
        for seconds in (-9_800, 37_600, 15_000):
            with self.subTest(seconds=seconds):
                camera = self.camera()
                camera.report(-0.01)
                times = camera.run(0.0, 4.0)
                # what is left of 37 600 s when unwrapped the short way round
                away = (seconds * RATE + 2**31) % 2**32 - 2**31
                times.append((4.0, camera.frame(4.0, camera.ticks(4.0) + away)))
                times += camera.run(4.04, 20.0)
                self.assert_close(times, 0.001)
                self.assert_rising(times)
                self.assertEqual([gap.reason for gap in camera.gaps], [GapReason.TIMESTAMP_JUMP])
                self.assertEqual(camera.timeline.timestamp_jumps, 1)

    def test_they_are_told_once_a_minute(self) -> None:
        """Quirk 24: such a frame every two seconds makes one gap a minute, not thirty."""
        camera = self.camera()
        for number in range(25 * 120):
            t = number * FRAME
            camera.frame(t, camera.ticks(t) - 9_800 * RATE if number % 50 == 10 else None)
        self.assertEqual(camera.timeline.timestamp_jumps, 60)
        self.assertEqual(len(camera.gaps), 2)

    def test_wyze_backward_jump(self) -> None:
        """Quirk 24: timestamps that go back for good are followed, time goes on."""
        for back in (1.5, 10.0, 5_000.0):
            with self.subTest(back=back):
                camera = self.camera()
                camera.media_seconds = step_at(10.0, -back)
                camera.report(-0.01)
                times = camera.run(0.0, 60.0)
                self.assert_close(times, 0.041)
                self.assert_rising(times)
                self.assertEqual([gap.reason for gap in camera.gaps], [GapReason.TIMESTAMP_JUMP])

    def test_tapo_reset_to_zero(self) -> None:
        """Quirk 24: the encoder restarts, timestamps begin at 0 after a pause of 3 s."""
        camera = self.camera()
        camera.first_tick = 3_000_000_000
        camera.report(-0.01)
        times = camera.run(0.0, 10.0)
        camera.first_tick = -13 * RATE
        times += camera.run(13.0, 60.0)
        self.assert_close(times, 0.041)
        self.assert_rising(times)
        (gap,) = camera.gaps
        self.assertEqual(gap.reason, GapReason.TIMESTAMP_JUMP)
        self.assert_near((gap.end_us - gap.start_us) / 1e6, 3.04, 0.05)

    def test_asking_twice(self) -> None:
        """The time of a unit may be asked for again, of one that leapt too."""
        camera = self.camera()
        camera.report(-0.01)
        for n, away in enumerate([0, 0, -50, 0, -200, 0, 0]):
            ticks = camera.ticks(n * FRAME) + away * RATE
            self.assertEqual(camera.frame(n * FRAME, ticks), camera.frame(n * FRAME, ticks))
        self.assertEqual(camera.timeline.timestamp_jumps, 2)

    def test_b_frames(self) -> None:
        """Timestamps in decoding order step back a little: exactly mapped, no jump."""
        camera = self.camera()
        camera.report(-0.01)
        order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]
        times = [(n * FRAME, camera.frame(n * FRAME)) for n in order]
        self.assert_close(times, 2e-6)
        self.assertEqual(camera.gaps, [])

    def test_long_silence_is_no_jump(self) -> None:
        """A metadata track that says nothing for an hour goes on where it must."""
        camera = self.camera()
        camera.report(-0.01)
        camera.frame(0.0)
        self.assertAlmostEqual(camera.frame(3_600.0), 3_600.0, places=5)
        self.assertEqual(camera.gaps, [])


class PropertyTests(TimelineTestCase):
    @settings(max_examples=60, deadline=None)
    @given(
        ppm=st.integers(-500, 500),
        offset=st.integers(-50, 50),
        interval=st.sampled_from([1.0, 2.0, 5.0, 10.0]),
        delay=st.floats(0.001, 0.09),
        jitter=st.floats(0.0, 0.3),
        first_tick=st.integers(0, 2**32 - 1),
    )
    def test_any_sane_camera(
        self, ppm: int, offset: int, interval: float, delay: float, jitter: float, first_tick: int
    ) -> None:
        """Whatever drift, offset, delay and wrap: after a few reports right to a millisecond."""
        camera = self.camera()
        camera.media_seconds = lambda t: t * (1 + ppm * 1e-6)
        camera.wall_seconds = lambda t: t + offset
        camera.delay = lambda t: delay + jitter * ((round(t * 25) * 7919) % 17) / 17
        camera.first_tick = first_tick
        camera.report(-0.01)
        times = camera.run(0.0, 12 * interval, interval)
        self.assert_rising(times)
        # Few reports in a short time tell little about drift.
        self.assert_close(times, 0.001 + abs(ppm) * 5e-6 * interval, offset=offset)
        settled = round(10 * interval / FRAME)
        self.assert_close(times[settled:], 0.001 + abs(ppm) * 5e-6, offset=offset)
        self.assertLessEqual(len(camera.gaps), 1)

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from("ffffffr"),
                st.one_of(st.integers(0, 9_000), st.integers(-(2**31), 2**31)),
                st.integers(0, 5_000),
                st.one_of(st.integers(-3, 3), st.integers(-4 * 10**9, 4 * 10**9)),
            ),
            max_size=60,
        )
    )
    def test_noise(self, events: list[tuple[str, int, int, int]]) -> None:
        """Any timestamps and reports: a time for each unit; where it does not go on, a gap.

        Frames that do not leap and have no gap before them rise with their timestamps.
        """
        timeline = Timeline(RATE)
        ticks, now_ms = 0, 0
        last: int | None = None
        for kind, step, wait, clock in events:
            now_ms += wait
            now = now_ms / 1000, EPOCH_US + now_ms * 1000
            if kind == "r":
                timeline.sender_report(ticks + step & 0xFFFF_FFFF, now[1] + clock * 1000, *now)
                continue
            ticks += step
            utc_us = timeline.utc_us(ticks, *now)
            gap = timeline.take_gap()
            if gap is not None:
                self.assertLessEqual(gap.start_us, gap.end_us)
                self.assertIn(utc_us, (gap.start_us, gap.end_us))
            elif last is not None and step > 0 and timeline.timestamp_jumps == 0:
                self.assertGreater(utc_us, last)
            last = utc_us
