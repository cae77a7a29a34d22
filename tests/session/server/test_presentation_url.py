"""URLs of presentations and tracks, in all the forms that clients send."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.session.server.presentation_url import MAX_URL_ARGUMENTS, parse_url

URL = "rtsp://10.0.0.2:554/axis-media/media.amp"


class UrlTests(SynchronousTestCase):
    def test_every_place_of_the_track(self) -> None:
        """The track is found before the query, behind it, and in its old name."""
        for form in (
            f"{URL}/stream=1?fps=5",
            f"{URL}?fps=5/stream=1",
            f"{URL}/trackID=1?fps=5",
            f"{URL}/stream=1/?fps=5",
        ):
            url = parse_url(form)
            self.assertEqual((url.track, url.url, url.arguments), (1, f"{URL}?fps=5", {"fps": "5"}))

    def test_the_whole_presentation(self) -> None:
        """A slash at the end, as Content-Base has it, changes nothing."""
        for form in (URL, f"{URL}/"):
            url = parse_url(form)
            self.assertEqual((url.track, url.url, url.content_base), (None, URL, f"{URL}/"))
        self.assertEqual(url.track_url(2), f"{URL}/stream=2")
        self.assertEqual(url.place, "/axis-media/media.amp")

    def test_credentials_do_not_stay(self) -> None:
        """A user and password in the URL are neither kept nor shown."""
        url = parse_url("rtsp://root:pass@h/a")
        self.assertEqual(url.url, "rtsp://h/a")
        with self.assertRaises(WireError) as caught:
            parse_url("http://root:pass@h/a")
        self.assertNotIn("pass", str(caught.exception))

    def test_arguments_are_decoded(self) -> None:
        """Percent-encoding and plus signs; names without case, the last of a name counts."""
        url = parse_url(f"{URL}?EventTopic=a%2Fb%2B+c&fps=1&fps=2&&x")
        self.assertEqual(url.arguments, {"eventtopic": "a/b+ c", "fps": "2", "x": ""})

    def test_arguments_are_bounded(self) -> None:
        """No more arguments are read than a client has reason to send."""
        query = "&".join(f"a{n}=1" for n in range(500))
        self.assertEqual(len(parse_url(f"rtsp://h/a?{query}").arguments), MAX_URL_ARGUMENTS)

    @settings(max_examples=300, deadline=None)
    @given(st.one_of(st.text(max_size=80), st.text(max_size=80).map("rtsp://".__add__)))
    def test_any_text(self, text: str) -> None:
        """Any text is a URL or a `WireError`."""
        try:
            url = parse_url(text)
        except WireError:
            return
        self.assertEqual(parse_url(url.track_url(1)).track, 1)
        self.assertIsInstance(url.arguments, dict)
