"""Cards of cameras: other writers' Matroska, older names, an index without our tables."""

import sqlite3
import struct
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.files import Files
from axis_nvr.storage.layout import INDEX_NAME, utc_text
from axis_nvr.storage.repair.block import Wanted, finish_block
from axis_nvr.storage.schema import AXIS_TABLES
from axis_nvr.storage.xml import BlockStatus, parse_block
from axis_nvr.wire.ebml import UNKNOWN_SIZE, build_void, encode_id, encode_size
from axis_nvr.wire.matroska_elements import Id
from tests.durability import proves
from tests.storage.making import START_US
from tests.storage.repair.making import SECOND, content, do_chores, meaning, restarted

#: Of a camera of 2014: block ids with the serial number, a blank as the group, no device.
RECORDING = "20240506_070809_1A2B_00408C123456"
BLOCKS = ("20240506_070809_3C4D_00408C123456", "20240506_071309_5E6F_00408C123456")


def element(element_id: int, data: bytes, width: int = 8) -> bytes:
    """One element."""
    return encode_id(element_id) + encode_size(len(data), width) + data


def front(segment_size: bytes, room: int) -> bytes:
    """What a camera writes before its first cluster: no CRC-32, and room for what comes later."""
    header = element(Id.DOC_TYPE, b"matroska") + element(Id.DOC_TYPE_VERSION, b"\x02", 1)
    info = element(Id.TIMESTAMP_SCALE, struct.pack(">Q", 1_000_000), 1)
    info += element(0x73A4, bytes(16), 1) + element(Id.WRITING_APP, b"AXIS P1428-E", 1)
    video = element(Id.PIXEL_WIDTH, b"\x05\x00", 1) + element(Id.PIXEL_HEIGHT, b"\x02\xd0", 1)
    entry = element(Id.TRACK_NUMBER, b"\x01", 1) + element(Id.TRACK_TYPE, b"\x01", 1)
    entry += element(Id.CODEC_ID, b"V_MPEG4/ISO/AVC", 1) + element(Id.VIDEO, video)
    tracks = element(Id.TRACKS, element(Id.TRACK_ENTRY, entry))
    segment = encode_id(Id.SEGMENT) + segment_size
    return element(Id.EBML, header) + segment + build_void(room) + element(Id.INFO, info) + tracks


def cluster(time_ms: int, size: bytes | None = None) -> bytes:
    """Two pictures of a camera, 500 ms apart."""
    data = element(Id.TIMESTAMP, struct.pack(">I", time_ms), 1)
    for at in range(2):
        flags = 0x80 if not at else 0
        picture = b"%d/%d" % (time_ms, at)
        data += element(Id.SIMPLE_BLOCK, struct.pack(">BhB", 0x81, 500 * at, flags) + picture, 4)
    return encode_id(Id.CLUSTER) + (encode_size(len(data)) if size is None else size) + data


class ForeignBlockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def finish(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Finish a block; its frames."""
        self.path.write_bytes(data)
        done = finish_block(Files(), self.path, Wanted(start_us=START_US))
        self.assertEqual(done.stop_us, START_US + 2 * SECOND)
        self.assertTrue(finish_block(Files(), self.path, Wanted(start_us=START_US)).was_whole)
        return content(self.path)

    @proves(
        5,
        fault="a card is pulled out of a camera",
        moment="while it writes a cluster whose size it does not know yet",
        outcome="whole pictures are kept, the block is closed",
    )
    def test_a_cluster_that_is_cut(self) -> None:
        """A cluster of unknown size ends behind its last whole picture."""
        data = front(UNKNOWN_SIZE, 300) + cluster(0) + cluster(1000, UNKNOWN_SIZE)
        expected = [(1, t, b"%d/%d" % (t - t % 1000, t % 1000 // 500)) for t in range(0, 2000, 500)]
        self.assertEqual(self.finish(data), expected)
        cut = element(Id.SIMPLE_BLOCK, bytes(500), 4)[:90]
        self.assertEqual(self.finish(data + cut), expected)

    def test_what_the_camera_wrote_stays(self) -> None:
        """Elements of Info that we do not write ourselves, and the camera's tracks."""
        self.finish(front(UNKNOWN_SIZE, 300) + cluster(0) + cluster(1000))
        data = self.path.read_bytes()
        self.assertIn(encode_id(0x73A4), data)
        self.assertIn(b"AXIS P1428-E", data)
        self.assertIn(encode_id(Id.DURATION), data)

    def test_no_room_for_a_duration(self) -> None:
        """The pictures are all there; players find the duration themselves."""
        self.path.write_bytes(front(UNKNOWN_SIZE, 12) + cluster(0) + cluster(1000))
        finish_block(Files(), self.path, Wanted(start_us=START_US))
        self.assertEqual(len(content(self.path)), 4)
        self.assertEqual(self.path.read_bytes().count(encode_id(Id.CUES)), 1)


class CardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        recording = self.folder / "20240506" / "07" / RECORDING
        (recording / "20240506_07").mkdir(parents=True)
        self.xml = recording / "recording.xml"
        self.xml.write_text(
            f'<Recording RecordingToken="{RECORDING}"><RecordingGroup> </RecordingGroup>'
            f"<SourceToken>1</SourceToken><StartTime>{utc_text(START_US)}</StartTime>"
            '<Content></Content><Track TrackToken="Video"><VideoAttributes><Width>1280</Width>'
            "<Height>720</Height><Framerate>30.00000</Framerate>"
            "<Framerate_fraction>30:1</Framerate_fraction><Encoding>video/x-h264</Encoding>"
            "<Bitrate>0</Bitrate></VideoAttributes></Track><Application>AxisCamera</Application>"
            "<CustomAttributes><TriggerTrigger>Record</TriggerTrigger><TriggerName>Motion"
            "</TriggerName><TriggerType>triggered</TriggerType><Odd>kept</Odd></CustomAttributes>"
            "</Recording>"
        )
        self.blocks = [recording / "20240506_07" / f"{block}.mkv" for block in BLOCKS]
        for at, path in enumerate(self.blocks):
            start_us = START_US + 300 * SECOND * at
            stop = f"<StopTime>{utc_text(start_us + 300 * SECOND)}</StopTime>" if not at else ""
            status = "Recording" if at else "Complete"
            path.write_bytes(front(UNKNOWN_SIZE, 300) + cluster(0) + cluster(1000, UNKNOWN_SIZE))
            path.with_suffix(".xml").write_text(
                f'<RecordingBlock RecordingBlockToken="{path.stem}">'
                f"<RecordingToken>{RECORDING}</RecordingToken>"
                f"<StartTime>{utc_text(start_us)}</StartTime>{stop}<Status>{status}</Status>"
                "</RecordingBlock>"
            )
        self.first = self.blocks[0].read_bytes()

    def check_adopted(self) -> None:
        """Both blocks are known; the complete one is what it was, the open one is closed."""
        bench = restarted(self.folder)
        do_chores(bench)
        bench.disk.stop()
        told = meaning(self.folder)
        (row,) = told["recordings"]
        end_us = START_US + 302 * SECOND
        self.assertEqual((row.event, row.action, row.device), ("Motion", "Record", ""))
        self.assertEqual((row.start_us, row.stop_us), (START_US, end_us))
        self.assertEqual([block.block_id for block in told["blocks"]], list(BLOCKS))
        self.assertEqual(self.blocks[0].read_bytes(), self.first)
        xml = parse_block(self.blocks[1].with_suffix(".xml").read_bytes())
        self.assertEqual((xml.status, xml.stop_us), (BlockStatus.COMPLETE, end_us))
        self.assertIn("<Odd>kept</Odd>", self.xml.read_text())
        self.assertIn(f"<StopTime>{utc_text(end_us)}</StopTime>", self.xml.read_text())

    @proves(
        4,
        fault="the index is lost",
        moment="on a card of a camera",
        outcome="its recordings are found",
    )
    def test_without_an_index(self) -> None:
        """A camera's recordings are taken in as they are."""
        self.check_adopted()

    @proves(
        5,
        fault="a card is pulled out of a camera",
        moment="while it records",
        outcome="its recordings are read and closed, by the camera's own index",
    )
    def test_with_its_own_index(self) -> None:
        """An index of version 2.0 gets our tables beside its own, and its open rows are closed."""
        index = sqlite3.connect(self.folder / INDEX_NAME)
        index.executescript(AXIS_TABLES)
        index.execute("INSERT INTO version VALUES (2, 0, '2014-01-01T00:00:00.000000Z')")
        index.execute("INSERT INTO recording_events VALUES (1, 'Motion')")
        index.execute("INSERT INTO recording_actions VALUES (1, 'Record')")
        index.execute(
            "INSERT INTO recordings (id, filename, path, starttime, recording_event_id,"
            " recording_action_id) VALUES (1, ?, '20240506/07', ?, 1, 1)",
            (RECORDING, utc_text(START_US)),
        )
        for at, block in enumerate(BLOCKS):
            start_us = START_US + 300 * SECOND * at
            stop = utc_text(start_us + 300 * SECOND) if not at else None
            index.execute(
                "INSERT INTO blocks (filename, path, starttime, stoptime, recording_id, filesize)"
                " VALUES (?, '20240506_07', ?, ?, 1, ?)",
                (block, utc_text(start_us), stop, len(self.first) if stop else 0),
            )
        index.commit()
        index.close()
        self.check_adopted()
