"""The files' own words."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.storage.xml import (
    BlockStatus,
    BlockXml,
    RecordingXml,
    TrackXml,
    build_block,
    build_recording,
    parse_block,
    parse_recording,
)

MOMENT_US = 1_718_954_245_349_296
RECORDING = RecordingXml(
    recording_id="20240621_151725_B6D1_ACCC8E6E6C2B",
    start_us=MOMENT_US,
    stop_us=MOMENT_US + 1,
    source_token=2,
    tracks=(TrackXml("Video", (("Width", "1280"), ("Encoding", "video/x-h264"))),),
    trigger_trigger="record",
    trigger_name="motion <front> & yard",
    trigger_type="triggered",
    device="front",
    stream_options="device=front&fps=25",
)
#: Text that XML can hold; what it cannot is a test of its own.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


class RecordingXmlTests(SynchronousTestCase):
    def test_exactly_as_axis_devices_write_it(self) -> None:
        """One line, no declaration, the elements in the order of the layout, then ours."""
        self.assertEqual(
            build_recording(RECORDING).decode(),
            '<Recording RecordingToken="20240621_151725_B6D1_ACCC8E6E6C2B">'
            "<RecordingGroup></RecordingGroup><SourceToken>2</SourceToken>"
            "<StartTime>2024-06-21T07:17:25.349296Z</StartTime>"
            "<StopTime>2024-06-21T07:17:25.349297Z</StopTime><Content></Content>"
            '<Track TrackToken="Video"><VideoAttributes><Width>1280</Width>'
            "<Encoding>video/x-h264</Encoding></VideoAttributes></Track>"
            "<Application>AxisCamera</Application><CustomAttributes>"
            "<TriggerTrigger>record</TriggerTrigger>"
            "<TriggerName>motion &lt;front&gt; &amp; yard</TriggerName>"
            "<TriggerType>triggered</TriggerType><Device>front</Device>"
            "<StreamOptions>device=front&amp;fps=25</StreamOptions>"
            "</CustomAttributes></Recording>",
        )

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(TEXT, TEXT, st.none() | st.integers(0, 4_102_444_800_000_000))
    def test_reads_back(self, name: str, options: str, stop_us: int | None) -> None:
        """Whatever the texts, what was written is read."""
        written = RecordingXml(
            "20240621_151725_B6D1_ACCC8E6E6C2B",
            MOMENT_US,
            stop_us,
            tracks=RECORDING.tracks,
            trigger_name=name,
            stream_options=options,
        )
        self.assertEqual(parse_recording(build_recording(written)), written)

    def test_what_xml_cannot_hold(self) -> None:
        """A control character does not make the file unreadable."""
        written = build_recording(RecordingXml("id", MOMENT_US, device="a\x00b\x1b\r"))
        self.assertEqual(parse_recording(written).device, "a\ufffdb\ufffd\r")

    def test_a_running_recording_has_no_stop_time(self) -> None:
        """Absent, not empty."""
        self.assertNotIn(b"StopTime", build_recording(RecordingXml("id", MOMENT_US)))

    def test_a_cameras_own(self) -> None:
        """Firmware 5 has no RecordingGroup, that of 2019 a blank, and none has our attributes."""
        for group in ("", "<RecordingGroup> </RecordingGroup>"):
            read = parse_recording(
                f'<Recording RecordingToken="x">{group}<SourceToken>1</SourceToken>'
                "<StartTime>2024-06-21T07:17:25.349296Z</StartTime><Content/></Recording>".encode()
            )
            self.assertEqual(read, RecordingXml("x", MOMENT_US))


class BlockXmlTests(SynchronousTestCase):
    def test_exactly_as_axis_devices_write_it(self) -> None:
        """An open block says so and has no stop time; a whole one says so and has one."""
        start = (
            '<RecordingBlock RecordingBlockToken="20240621_151725_0001">'
            "<RecordingToken>r</RecordingToken><StartTime>2024-06-21T07:17:25.349296Z</StartTime>"
        )
        block = BlockXml("20240621_151725_0001", "r", MOMENT_US, None, BlockStatus.RECORDING)
        self.assertEqual(
            build_block(block).decode(), start + "<Status>Recording</Status></RecordingBlock>"
        )
        self.assertEqual(parse_block(build_block(block)), block)
        whole = BlockXml(
            "20240621_151725_0001", "r", MOMENT_US, MOMENT_US + 5, BlockStatus.COMPLETE
        )
        self.assertEqual(
            build_block(whole).decode(),
            start + "<StopTime>2024-06-21T07:17:25.349301Z</StopTime>"
            "<Status>Complete</Status></RecordingBlock>",
        )
        self.assertEqual(parse_block(build_block(whole)), whole)

    def test_another_status(self) -> None:
        """A status nobody knows is not guessed at."""
        block = BlockXml("b", "r", MOMENT_US, None, BlockStatus.RECORDING)
        odd = build_block(block).replace(b"<Status>Recording", b"<Status>Odd")
        self.assertRaises(WireError, parse_block, odd)


class HostileXmlTests(SynchronousTestCase):
    def test_document_types_are_refused(self) -> None:
        """A disk may come from anywhere: no entity is ever expanded."""
        for text in (
            '<!DOCTYPE Recording [<!ENTITY a "b">]><Recording>&a;</Recording>',
            '<!doctype Recording SYSTEM "file:///etc/passwd"><Recording/>',
        ):
            self.assertRaises(WireError, parse_recording, text.encode())
            self.assertRaises(WireError, parse_recording, text.encode("utf-16"))

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(st.binary(max_size=200) | st.integers(0, 10_000))
    def test_any_bytes_end_in_a_wire_error(self, given: bytes | int) -> None:
        """Random bytes, and our own with a byte knocked out, raise nothing else."""
        data = given
        if isinstance(given, int):
            whole = build_recording(RECORDING)
            data = whole[: given % len(whole)] + whole[given % len(whole) + 1 :]
        assert isinstance(data, bytes)
        for parse in (parse_recording, parse_block):
            try:
                parse(data)
            except WireError:
                continue
