"""The timeline: times that follow a camera's sender reports, as far as they can be believed."""

from itertools import pairwise
from random import Random

from axis_nvr.media.units import GapReason
from axis_nvr.session.session_clock import SessionClock
from tests.session.timeline_case import EPOCH_US, FRAME, RATE, Camera, TimelineTestCase, step_at


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
