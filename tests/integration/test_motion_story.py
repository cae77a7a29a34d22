"""The story of a motion: from a camera to the VMS and to the disk."""

from itertools import pairwise

from tests.conformance.soap import NAMES, conditions, event_filter, new_configuration, new_rule
from tests.integration.vms import Picture, VmsTestCase, seconds

DOOR = "door"
RULE = "ACC_Motion door"
#: What a VMS asks for.
PRE_SECONDS, POST_SECONDS = 5, 10
FPS = 20
STREAM = f"resolution=640x360&fps={FPS}&videokeyframeinterval={FPS}&videocodec=h264"
MOTION = "tnsaxis:UniversalMotionDetection"
DISRUPTION = "tnsaxis:Storage/Disruption//."
RECORDING = "com.axis.action.unlimited.recording.storage"
#: A trigger is taken for as much earlier as the newest picture is old.
EARLY_SECONDS = 0.15


class MotionStoryTests(VmsTestCase):
    def test_a_motion(self) -> None:
        """A motion is told on both event streams, and recorded from before it till after it."""
        self.add_the_camera()
        self.set_a_rule()
        stream = self.listen_over_websocket(MOTION)
        over_rtsp = self.listen_over_rtsp(MOTION)
        self.assertEqual(self.motion_told(stream)[0], "0")
        self.until(lambda: over_rtsp() == [("Initialized", {"device": DOOR, "active": "0"})])
        self.until(self.the_pre_buffer_is_full)

        self.move(True)
        active, began = self.motion_told(stream)
        self.assertEqual(active, "1")
        self.until(lambda: over_rtsp()[1:] == [("Changed", {"device": DOOR, "active": "1"})])
        running = self.until(self.the_recording)
        self.assertEqual(running["recordingstatus"], "recording")

        self.move(False)
        active, ended = self.motion_told(stream)
        self.assertEqual(active, "0")
        self.until(lambda: over_rtsp()[2:] == [("Changed", {"device": DOOR, "active": "0"})])
        recording = self.until(self.the_recording_is_completed)
        self.assertEqual(recording["recordingid"], running["recordingid"])
        self.assertEqual(recording["recordingtype"], "triggered")
        self.assertEqual((recording["eventid"], recording["eventtrigger"]), (RULE, RULE))
        self.assertEqual(len(self.picture_sessions()), 1, "one for buffer and recording")

        pictures = self.exported(recording["recordingid"])
        self.check_the_beginning(pictures, began)
        self.check_the_end(pictures, ended)
        steps = [round((after.at - before.at) * FPS) for before, after in pairwise(pictures)]
        self.assertEqual(set(steps), {1}, "no picture is missing, and none is there twice")
        self.assertLess(abs(seconds(recording["starttime"]) - pictures[0].at), 0.002)
        self.assertLess(abs(seconds(recording["stoptime"]) - pictures[-1].at), 2 / FPS)

    def add_the_camera(self) -> None:
        """Add the camera as an external device, and have the recorder listen to its events."""
        name, password = self.camera_account
        devices = "externalipdeviceinfo"
        self.cgi(
            f"{devices}/create",
            schemaversion=2,
            id=DOOR,
            address="127.0.0.1",
            port=self.camera.find(r"rtsp://[^/]*?127\.0\.0\.1:(\d+)/"),
            username=name,
            password=password,
        )
        self.cgi(f"{devices}/seteventsenabled", schemaversion=2, id=DOOR, enabled="yes")
        declared = self.soap("<aev:GetEventInstances/>")
        (motion,) = declared.iterfind(".//tnsaxis:UniversalMotionDetection", NAMES)
        self.assertEqual([value.text for value in motion.iterfind(".//aev:Value", NAMES)], [DOOR])

    def set_a_rule(self) -> None:
        """Record while there is motion and the disk is well, as managed cameras do."""
        configuration = self.soap(
            new_configuration(
                token=RECORDING,
                name=RULE,
                stream_options=f"device={DOOR}&{STREAM}",
                pre_duration=f"{PRE_SECONDS * 1000}",
                post_duration=f"{POST_SECONDS * 1000}",
                storage_id="HDD_DISK",
            )
        )
        action = configuration.findtext("aa:ConfigurationID", "", NAMES)
        moves = event_filter(MOTION, f"{_is('device', DOOR)} and {_is('active', '1')}")
        is_well = event_filter(
            DISRUPTION, f"{_is('disk_id', 'HDD_DISK')} and {_is('disruption', '0')}"
        )
        self.soap(new_rule(action, conditions(moves, is_well), name=RULE))

    def motion_told(self, stream: object) -> tuple[str, float]:
        """Wait for the door's motion to be told: its state, and since when."""
        told = self.notified(stream)
        message = told["message"]
        self.assertEqual((told["topic"], message["source"]), (MOTION, {"device": DOOR}))
        return message["data"]["active"], told["timestamp"] / 1000

    def the_pre_buffer_is_full(self) -> bool:
        """Whether the recorder holds as much as the rule wants, and more."""
        held = [stream["buffer"]["held_seconds"] for stream in self.status()["streams"]]
        return max(held, default=0) >= PRE_SECONDS + 1

    def the_recording(self) -> dict[str, str] | None:
        """The one recording of the rule, as the list tells it."""
        found = list(self.cgi("record/list", recordingid="all", eventid=RULE).iter("recording"))
        self.assertLessEqual(len(found), 1)
        return dict(found[0].attrib) if found else None

    def the_recording_is_completed(self) -> dict[str, str] | None:
        """The same, once it has ended."""
        one = self.the_recording()
        return one if one is not None and one["recordingstatus"] == "completed" else None

    def exported(self, recording_id: str) -> list[Picture]:
        """Export a recording; the pictures of the file."""
        export = "/axis-cgi/record/export/exportrecording.cgi"
        given = {"recordingid": recording_id, "diskid": "HDD_DISK", "exportformat": "matroska"}
        return self.pictures(self.get(export, schemaversion=1, **given))

    def check_the_beginning(self, pictures: list[Picture], began: float) -> None:
        """It begins with the newest key frame at or before (motion less pre-event time)."""
        first, wanted = pictures[0], began - PRE_SECONDS
        second = next(picture for picture in pictures[1:] if picture.is_key)
        self.assertTrue(first.is_key)
        self.assertLessEqual(first.at, wanted)
        self.assertGreater(second.at, wanted - EARLY_SECONDS)

    def check_the_end(self, pictures: list[Picture], ended: float) -> None:
        """It holds the whole post-event time, and hardly more."""
        last, wanted = pictures[-1].at, ended + POST_SECONDS
        self.assertGreaterEqual(last + 2 / FPS, wanted)
        self.assertLess(last, wanted + 2)


def _is(name: str, value: str) -> str:
    return f'boolean(//SimpleItem[@Name="{name}" and @Value="{value}"])'
