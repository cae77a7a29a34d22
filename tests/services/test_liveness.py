"""Whether a stream that plays is alive."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.liveness import (
    EVENTS_SILENCE_SECONDS,
    SILENCE_SECONDS,
    VIDEO_SILENCE_SECONDS,
    Liveness,
)


class LivenessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.liveness = Liveness({0: "video", 1: "audio"}, 0.0)

    def test_nothing_at_all(self) -> None:
        """Nothing since PLAY, or nothing any more, drops the stream."""
        self.assertIsNone(self.liveness.look({0: 0, 1: 0}, SILENCE_SECONDS - 1))
        self.assertIn("nothing came", self.liveness.look({0: 0, 1: 0}, SILENCE_SECONDS) or "")
        self.assertIsNone(self.liveness.look({0: 5, 1: 0}, 20))
        self.assertIsNone(self.liveness.look({0: 5, 1: 0}, 29))
        self.assertIn("nothing came", self.liveness.look({0: 5, 1: 0}, 30) or "")

    def test_sound_alone(self) -> None:
        """Sound that goes on does not make up for pictures that stopped."""
        for second in range(1, int(VIDEO_SILENCE_SECONDS) + 2):
            verdict = self.liveness.look({0: 1, 1: second}, float(second))
            if verdict is not None:
                break
        self.assertEqual(second, VIDEO_SILENCE_SECONDS + 1)
        self.assertIn("no video", verdict or "")

    def test_pictures_alone(self) -> None:
        """Sound that stops is told, and the pictures go on."""
        for second in range(1, 100):
            self.assertIsNone(self.liveness.look({0: second, 1: 1}, float(second)))
        self.assertEqual(list(self.liveness.silent(99.0)), ["audio"])

    def test_sound_only(self) -> None:
        """A stream of sound alone lives by its sound."""
        liveness = Liveness({0: "audio"}, 0.0)
        self.assertIsNone(liveness.look({0: 1}, 9.0))
        self.assertIsNotNone(liveness.look({0: 1}, 19.0))

    def test_tracks_of_no_interest(self) -> None:
        """Packets of a track that was not set up count for nothing."""
        self.assertIn("nothing came", self.liveness.look({7: 9}, SILENCE_SECONDS) or "")

    def test_events_alone(self) -> None:
        """A session of events is silent for hours and lives while the camera answers anything."""
        liveness = Liveness({2: "application"}, 0.0)
        for second in range(0, 3600, 10):
            self.assertIsNone(liveness.look({2: 1}, second + 2.0, float(second)))
        heard = 3590.0
        self.assertIsNone(liveness.look({2: 1}, heard + EVENTS_SILENCE_SECONDS - 1, heard))
        verdict = liveness.look({2: 1}, heard + EVENTS_SILENCE_SECONDS, heard)
        self.assertIn("not a word", verdict or "")

    def test_events_beside_pictures(self) -> None:
        """Events do not make up for pictures that stopped, nor do signs of life."""
        liveness = Liveness({0: "video", 2: "application"}, 0.0)
        self.assertIn("nothing came", liveness.look({0: 0, 2: 0}, SILENCE_SECONDS, 9.0) or "")
