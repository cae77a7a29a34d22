"""URLs of requests: what is sent of them, and where redirects may lead."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.session.digest import Credentials
from axis_nvr.session.request_url import (
    host_of,
    redirect_target,
    sendable,
    split_credentials,
    with_argument,
)

URL = "rtsp://192.168.0.90:554/axis-media/media.amp?fps=25"


class SplitTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Credentials leave the URL and are unescaped; the rest is as it was, or escaped."""
        for url, expected, credentials in (
            (URL, URL, None),
            ("rtsp://u:p%40@h/a?b", "rtsp://h/a?b", Credentials("u", "p@")),
            ("RTSP://u@H", "rtsp://H", Credentials("u", "")),
            ("rtsps://[fe80::1%25eth0]:322/x", "rtsps://[fe80::1%25eth0]:322/x", None),
            ("rtsp://h:/ö b#frag", "rtsp://h/%C3%B6%20b", None),
            (" rtsp://h?a ", "rtsp://h?a", None),
        ):
            self.assertEqual(split_credentials(url), (expected, credentials), url)

    def test_refused(self) -> None:
        """What is no RTSP URL is refused, without its password."""
        for url in ("", "/a", "http://h/", "rtsp://", "rtsp:///a", "rtsp://a b/", "rtsp://h:x/"):
            self.assertRaises(WireError, split_credentials, url)
        error = self.assertRaises(WireError, split_credentials, "rtp://u:hemmelig@h/")
        self.assertNotIn("hemmelig", str(error))

    def test_parts(self) -> None:
        """Hosts compare without case and port; arguments go behind those there are."""
        self.assertEqual(host_of("rtsp://CAM:554/x"), "cam")
        self.assertEqual(host_of("rtsp://[FE80::1]:554/x"), "[fe80::1]")
        self.assertEqual(host_of("nonsense"), "")
        self.assertEqual(with_argument("rtsp://h/a", "b=c"), "rtsp://h/a?b=c")
        self.assertEqual(with_argument("rtsp://h/a?x", "b=c"), "rtsp://h/a?x&b=c")
        self.assertEqual(sendable("rtsp://h/\r\n"), "rtsp://h/%0D%0A")


class RedirectTests(SynchronousTestCase):
    def test_followed(self) -> None:
        """Another path, port, host or scheme, absolute or from the root."""
        for status, location, expected in (
            (302, "rtsp://192.168.0.91/x", "rtsp://192.168.0.91/x"),
            (301, "/other?a=b", "rtsp://192.168.0.90:554/other?a=b"),
            (307, "rtsps://192.168.0.90/x", "rtsps://192.168.0.90/x"),
            (303, " rtsp://u:p@h/x ", "rtsp://h/x"),
            (305, "rtsp://proxy:8554/", "rtsp://proxy:8554/axis-media/media.amp?fps=25"),
            (305, "rtsp://proxy", "rtsp://proxy/axis-media/media.amp?fps=25"),
        ):
            self.assertEqual(redirect_target(URL, location, status), expected)
        self.assertEqual(redirect_target("rtsps://a/", "rtsps://b/", 302), "rtsps://b/")

    def test_not_followed(self) -> None:
        """Nowhere, another protocol, without end, and from TLS to plain text."""
        for location in ("", "http://h/", "//h/x", "x", "rtsp://h/" + "x" * 5000):
            self.assertRaises(WireError, redirect_target, URL, location, 302)
        self.assertRaises(WireError, redirect_target, "rtsps://a/", "rtsp://a/", 302)

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.sampled_from("rtsp:/@?#[]% x.0\r\nö"), max_size=30))
    def test_fuzz(self, location: str) -> None:
        """No location raises anything but `WireError`, or breaks a request line."""
        try:
            target = redirect_target(URL, location, 305)
        except WireError:
            return
        self.assertRegex(target, r"^rtsps?u?://[!-~]+$")
