"""What the audit log says of who watches."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.assembly.rtsp import target
from axis_nvr.session.server.presentation_url import parse_url


class TargetTests(SynchronousTestCase):
    def test_what_is_watched(self) -> None:
        """A device, a recording, or events: what the URL names."""
        for query, expected in (
            ("device=front%20door&fps=5", "device front door"),
            ("recordingid=%222024_1%22&device=front", "recording 2024_1"),
            ("onvifreplayid=SD_2024", "recording SD_2024"),
            ("video=0&audio=0&event=on", "events"),
        ):
            url = parse_url(f"rtsp://nvr/axis-media/media.amp?{query}")
            self.assertEqual(target(url), expected)
