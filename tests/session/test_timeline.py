"""The timeline: times by arrival, timestamps that jump, and what is true of any camera."""

from hypothesis import given, settings
from hypothesis import strategies as st

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.session.timeline import Timeline
from tests.session.timeline_case import EPOCH_US, FRAME, RATE, TimelineTestCase, step_at


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
