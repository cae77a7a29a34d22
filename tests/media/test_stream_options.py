"""Stream options: what the recorder decides, what the camera is sent, what is warned about."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.media.stream_options import MAX_OPTIONS_LENGTH, StreamOptions, axis_url

DEFAULTS = "resolution=1920x1080&fps=30&videokeyframeinterval=64&audio=0&video=1"


def sent(text: str, *, pre_buffer: bool = False) -> str:
    """The query that a camera gets for these options."""
    return StreamOptions.parse(text).effective(pre_buffer=pre_buffer)


def warned(text: str, *, pre_buffer: bool = True) -> list[str]:
    """The options that are warned about."""
    return [each.option for each in StreamOptions.parse(text).warnings(pre_buffer=pre_buffer)]


class RequestTests(SynchronousTestCase):
    """The table "What the recorder decides about a stream", row by row."""

    def test_device_is_mandatory_and_not_sent(self) -> None:
        """The device selects the camera and stays here; the defaults take its place."""
        self.assertEqual(StreamOptions.parse("device=front").device, "front")
        self.assertEqual(sent("device=front"), DEFAULTS)
        self.assertEqual(
            sent("fps=5&device=front&resolution=640x480&audio=1"),
            "fps=5&resolution=640x480&audio=1&videokeyframeinterval=64&video=1",
        )

    def test_a_missing_device_is_an_error(self) -> None:
        """None, an empty one and two of them are refused with a sentence that says so."""
        for text in ("", "fps=25", "device=", "device=a&device=b", "?", "&&"):
            error = self.assertRaises(WireError, StreamOptions.parse, text)
            self.assertIn("device=<camera id>", str(error))

    def test_given_values_win_over_defaults(self) -> None:
        """A default is sent only for what is absent."""
        given_options = "resolution=640x360&fps=25&videokeyframeinterval=50&audio=1&video=0"
        self.assertEqual(sent(f"device=front&{given_options}"), given_options)

    def test_others_are_passed_untouched_in_the_order_given(self) -> None:
        """Options the recorder does not know reach the camera byte for byte, in their order."""
        given_options = "videozstrength=30&videocodec=h265&compression=30&rotation=180&x&y="
        self.assertEqual(sent(f"{given_options}&device=front"), f"{given_options}&{DEFAULTS}")

    def test_audio_and_video_are_zero_or_one(self) -> None:
        """Sound is left out and pictures fetched unless told; other values are refused."""
        options = StreamOptions.parse("device=front")
        self.assertEqual((options.wants_audio, options.wants_video), (False, True))
        options = StreamOptions.parse("device=front&audio=1&video=0")
        self.assertEqual((options.wants_audio, options.wants_video), (True, False))
        for text in ("audio=yes", "video=2", "audio=1&audio=1", "video"):
            self.assertRaises(WireError, StreamOptions.parse, f"device=front&{text}")

    def test_with_a_pre_buffer_zipstream_modes_are_fixed(self) -> None:
        """With a pre-buffer absent modes are sent as fixed, given ones as given."""
        fixed = f"{DEFAULTS}&videozgopmode=fixed&videozfpsmode=fixed"
        self.assertEqual(sent("device=front", pre_buffer=True), fixed)
        self.assertEqual(
            sent("device=front&videozfpsmode=dynamic&videozgopmode=dynamic", pre_buffer=True),
            f"videozfpsmode=dynamic&videozgopmode=dynamic&{DEFAULTS}",
        )

    def test_what_may_not_stand_in_a_url_is_encoded(self) -> None:
        """Spaces, controls and letters beyond ASCII are percent-encoded, once."""
        self.assertTrue(
            sent("device=front&textstring=Hof %C3%BC ü\r\n#1 100%").startswith(
                "textstring=Hof%20%C3%BC%20%C3%BC%0D%0A%231%20100%25&"
            )
        )

    def test_the_device_is_decoded(self) -> None:
        """An id with signs of its own is written percent-encoded."""
        self.assertEqual(StreamOptions.parse("device=Gate%20%26%20yard").device, "Gate & yard")

    def test_axis_url(self) -> None:
        """The URL is the one of the VAPIX page; a port and IPv6 addresses have their place."""
        query = sent("device=front")
        path = f"/axis-media/media.amp?{DEFAULTS}"
        self.assertEqual(axis_url("192.168.0.90", None, query), f"rtsp://192.168.0.90{path}")
        self.assertEqual(axis_url("cam.local", 8554, query), f"rtsp://cam.local:8554{path}")
        self.assertEqual(axis_url("fe80::1", None, query), f"rtsp://[fe80::1]{path}")
        self.assertTrue(axis_url("a", None, query, scheme="rtsps").startswith("rtsps://a/"))

    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=60) | st.text(alphabet="device=&%fpsaudio01 \r\n", max_size=60))
    def test_whatever_comes(self, text: str) -> None:
        """Any text is refused with a `WireError` or becomes a query that can stand in a URL."""
        try:
            options = StreamOptions.parse(f"device=a&{text}")
        except WireError:
            return
        query = options.effective(pre_buffer=True)
        self.assertTrue(query.isascii() and query.isprintable())
        self.assertNotIn(" ", query)
        self.assertNotIn("#", query)
        options.warnings(pre_buffer=True)
        again = StreamOptions.parse(f"device=a&{query}")
        self.assertEqual(again.effective(pre_buffer=True), query)

    def test_bounds(self) -> None:
        """Too much text and too many options are refused."""
        self.assertRaises(WireError, StreamOptions.parse, "device=a&" + "x" * MAX_OPTIONS_LENGTH)
        self.assertRaises(WireError, StreamOptions.parse, "device=a" + "&b=1" * 64)


class SharingTests(SynchronousTestCase):
    def key(self, text: str) -> tuple[str, str]:
        return StreamOptions.parse(text).stream_key(pre_buffer=False)

    def test_order_and_spelt_out_defaults_make_no_other_stream(self) -> None:
        """What the camera would send alike is one stream."""
        self.assertEqual(self.key("device=a&fps=25&audio=0"), self.key("audio=0&device=a&fps=25"))
        self.assertEqual(self.key("device=a"), self.key("device=a&fps=30&video=1"))

    def test_another_device_or_value_is_another_stream(self) -> None:
        """Anything else keeps streams apart."""
        keys = {self.key(f"device={text}") for text in ("a", "b", "a&fps=25", "a&fps=25&camera=2")}
        self.assertEqual(len(keys), 4)


class WarningTests(SynchronousTestCase):
    def test_safe_ones_are_not_warned_about(self) -> None:
        """Fixed modes, and a dynamic frame rate that sends empty pictures, are fine."""
        for text in (
            "videozgopmode=fixed&videozfpsmode=fixed",
            "videozgopmode=fixed&videozfpsmode=dynamic&videoframeskipmode=empty",
            "videozstrength=50",
            "videozprofile=classic",
            "videomaxbitrate=2000&videobitratemode=mbr",
        ):
            self.assertEqual(warned(f"device=a&{text}"), [], text)

    def test_each_unsafe_one_is_named(self) -> None:
        """The warning names the option to change, and only with a pre-buffer."""
        for text, option in (
            ("videozgopmode=dynamic", "videozgopmode"),
            ("videozfpsmode=dynamic", "videozfpsmode"),
            ("videozfpsmode=dynamic&videoframeskipmode=drop", "videozfpsmode"),
            ("videozprofile=storage", "videozprofile"),
            ("videokeyframeinterval=101", "videokeyframeinterval"),
            ("videozgopmode=dynamic&videozmaxgoplength=300", "videozmaxgoplength"),
        ):
            self.assertIn(option, warned(f"device=a&{text}"))
            self.assertEqual(warned(f"device=a&{text}", pre_buffer=False), [])

    def test_long_groups_tell_what_they_cost(self) -> None:
        """The warning says how long the groups are and what memory they take."""
        options = StreamOptions.parse(
            "device=a&videokeyframeinterval=300&fps=15&videobitratemode=mbr&videomaxbitrate=8000"
        )
        (warning,) = options.warnings(pre_buffer=True)
        for words in ("300 pictures", "20.0 s at 15 fps", "57 MiB", "8 Mbit/s"):
            self.assertIn(words, str(warning))

    def test_rate_control_without_its_mode(self) -> None:
        """Cameras refuse rate control options without videobitratemode: say so, always."""
        for pre_buffer in (False, True):
            names = warned("device=a&videomaxbitrate=2000", pre_buffer=pre_buffer)
            self.assertEqual(names, ["videomaxbitrate"])

    def test_values_that_are_no_numbers_are_the_cameras_to_refuse(self) -> None:
        """Nothing is made of them here."""
        self.assertEqual(warned("device=a&videokeyframeinterval=many&fps=²"), [])
