"""What confirms a step."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.step_detector import MAX_MORE_REPORTS, StepDetector


class StepDetectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.detector = StepDetector()

    def confirm(self, *errors_ms: int) -> list[int | None]:
        """Tell what came of each, in milliseconds."""
        found = [self.detector.confirm(error * 1_000) for error in errors_ms]
        return [None if step_us is None else step_us // 1_000 for step_us in found]

    def test_two_that_agree(self) -> None:
        """Two within 20 ms are a step, by what lies between them."""
        self.assertEqual(self.confirm(300, 320), [None, 310])

    def test_three_that_nearly_agree(self) -> None:
        """Three within a quarter of it are one too: by the median."""
        self.assertEqual(self.confirm(400, 450, 360), [None, None, 400])

    def test_no_agreement(self) -> None:
        """Errors of both signs, or that grow, are no step."""
        self.assertEqual(self.confirm(150, -150, 150, -150, 300, 600, 1_200), [None] * 7)

    def test_refuted(self) -> None:
        """A good report between two bad ones: nothing, and from then on three must agree."""
        self.confirm(300)
        self.detector.refute()
        self.assertEqual(self.confirm(300, 300, 300), [None, None, 300])

    def test_the_bar_is_bounded(self) -> None:
        """However many bad ones were seen, enough that agree are a step."""
        for _ in range(30):
            self.confirm(300)
            self.detector.refute()
        needed = 2 + MAX_MORE_REPORTS
        self.assertEqual(self.confirm(*[300] * needed), [None] * (needed - 1) + [300])
