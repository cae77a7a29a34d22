"""Each fault shows on the wire, and only while it should."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.session.sequence import sequence_difference
from axis_nvr.simulator.faults import FAULTS, REFUSALS, FaultBoard, FaultError
from axis_nvr.wire import h264, ntp, rtcp
from axis_nvr.wire.rtp import RtpPacket
from tests.simulator.client import NOON, MemoryCamera, frames_of

SMALL = "resolution=640x360&fps=50&videokeyframeinterval=10"
TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


class FaultTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.memory = MemoryCamera()
        self.camera = self.memory.camera
        self.client = self.memory.connect()

    def steps(self, packets: list[RtpPacket]) -> list[int]:
        """By how much each sequence number differs from the one before it."""
        numbers = [packet.sequence_number for packet in packets]
        return [sequence_difference(after, before) for before, after in pairwise(numbers)]

    def happened(self, name: str) -> int:
        return self.camera.faults.totals.get(name, 0)


class PacketFaultTests(FaultTestCase):
    def test_drop(self) -> None:
        """The share of packets asked for is missing from the sequence, and all after clearing."""
        self.client.play(SMALL)
        self.camera.raise_fault("drop", rate=0.25)
        self.memory.advance(4.0)
        steps = self.steps(self.client.packets())
        lost = sum(step - 1 for step in steps)
        self.assertLessEqual(abs(lost - self.happened("drop")), 2)  # those at the ends are unseen
        self.assertLess(abs(lost / (lost + len(steps)) - 0.25), 0.06)
        self.camera.clear_fault("drop")
        before = len(self.client.packets())
        self.memory.advance(1.0)
        self.assertEqual(set(self.steps(self.client.packets()[before:])), {1})

    def test_drop_so_many(self) -> None:
        """``count`` with ``rate`` 1 loses exactly the next packets."""
        self.client.play(SMALL)
        self.memory.advance(0.2)
        self.camera.raise_fault("drop", rate=1, count=3)
        self.memory.advance(0.5)
        self.assertEqual(sorted(self.steps(self.client.packets()))[-2:], [1, 4])
        self.assertIsNone(self.camera.faults.current("drop"))

    def test_one_track_only(self) -> None:
        """With ``track`` the other tracks stay whole."""
        self.client.play(f"{SMALL}&audio=1", tracks=2)
        self.camera.raise_fault("drop", rate=1.0, track="audio")
        self.memory.advance(1.0)
        self.assertEqual(self.client.packets(2), [])
        self.assertEqual(set(self.steps(self.client.packets(0))), {1})

    def test_so_long(self) -> None:
        """``seconds`` ends a fault by itself."""
        self.client.play(SMALL)
        self.camera.raise_fault("drop", rate=1.0, seconds=1)
        self.memory.advance(0.99)
        self.assertEqual(self.client.packets(), [])
        self.memory.advance(0.1)
        self.assertNotEqual(self.client.packets(), [])

    def test_reorder(self) -> None:
        """Packets come behind later ones, and none is lost."""
        self.client.play(SMALL)
        self.camera.raise_fault("reorder", rate=0.2, distance=3)
        self.memory.advance(2.0)
        self.camera.clear_fault()
        self.memory.advance(0.5)
        packets = self.client.packets()
        steps = self.steps(packets)
        self.assertLess(min(steps), 0)
        numbers = sorted(
            sequence_difference(p.sequence_number, packets[0].sequence_number) for p in packets
        )
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(packets))))

    def test_duplicate(self) -> None:
        """Packets come twice in a row, the same bytes."""
        self.client.play(SMALL)
        self.camera.raise_fault("duplicate", rate=0.3)
        self.memory.advance(2.0)
        steps = self.steps(self.client.packets())
        self.assertEqual(set(steps), {0, 1})
        self.assertEqual(steps.count(0), self.happened("duplicate"))

    def test_delay(self) -> None:
        """Frames come later by the time asked for, in order, and catch up when it is over."""
        self.client.play(SMALL)
        self.memory.advance(0.5)
        before = len(frames_of(self.client.packets()))
        self.camera.raise_fault("delay", delay=0.4, jitter=0.05)
        self.memory.advance(0.39)
        self.assertEqual(len(frames_of(self.client.packets())), before)
        self.memory.advance(0.6)
        self.assertGreater(len(frames_of(self.client.packets())), before + 20)
        self.camera.clear_fault("delay")
        self.memory.advance(1.0)
        self.assertEqual(set(self.steps(self.client.packets())), {1})
        self.assertLess(abs(len(frames_of(self.client.packets())) - 125), 3)

    def test_cut_within_a_packet(self) -> None:
        """The connection ends within an interleaved frame, in the middle of a picture."""
        self.client.play(SMALL)
        self.memory.advance(0.3)
        self.camera.raise_fault("cut")
        self.memory.advance(0.05)
        self.client.read()
        self.assertTrue(self.client.transport.disconnecting)
        size = int.from_bytes(self.client.rest[2:4], "big")
        self.assertEqual(self.client.rest[0], 0x24)
        self.assertLess(len(self.client.rest) - 4, size)

    def test_cut_and_go_on(self) -> None:
        """Without ``disconnect`` the rest of one picture is lost and the next one comes whole."""
        self.client.play("resolution=640x360&fps=50&videokeyframeinterval=1")
        self.camera.raise_fault("cut", disconnect=False)
        self.memory.advance(0.5)
        frames = frames_of(self.client.packets())
        self.assertFalse(frames[0][-1].marker)
        self.assertTrue(all(frame[-1].marker for frame in frames[1:]))
        self.assertEqual(len(frames[0]), len(frames[1]) // 2)
        self.assertFalse(self.client.transport.disconnecting)


class PictureFaultTests(FaultTestCase):
    def parameter_sets(self) -> list[tuple[int, int]]:
        """The resolution of each sequence parameter set that came, without repetitions."""
        found: list[tuple[int, int]] = []
        for packet in self.client.packets():
            if packet.payload[0] & 31 == 7:
                sps = h264.parse_sps(bytes(packet.payload))
                if not found or found[-1] != (sps.width, sps.height):
                    found.append((sps.width, sps.height))
        return found

    def test_change_parameter_sets(self) -> None:
        """The video changes its resolution with an intra picture, and changes back."""
        self.client.play("resolution=1280x720&fps=50&videokeyframeinterval=300")
        self.memory.advance(0.5)
        self.camera.raise_fault("change-parameter-sets", seconds=1.0)
        self.memory.advance(2.0)
        self.assertEqual(self.parameter_sets(), [(1280, 720), (640, 360), (1280, 720)])
        self.assertEqual(set(self.steps(self.client.packets())), {1})

    def test_change_to_a_chosen_resolution(self) -> None:
        """``resolution`` says which."""
        self.client.play("resolution=640x360")
        self.camera.raise_fault("change-parameter-sets", resolution="1920x1080")
        self.memory.advance(0.1)
        self.assertEqual(self.parameter_sets(), [(1920, 1080)])

    def test_stall(self) -> None:
        """Nothing comes, not even reports; requests are answered; then it goes on in time."""
        self.client.play(SMALL)
        self.memory.advance(0.5)
        before = len(self.client.frames), len(self.client.packets())
        self.camera.raise_fault("stall")
        seen = len(self.client.frames)
        self.memory.advance(20.0, step=0.02)
        self.client.read()
        self.assertEqual(len(self.client.frames), seen)
        self.assertEqual(self.client.request("OPTIONS", self.client.url()).status, 200)
        self.camera.clear_fault("stall")
        self.memory.advance(0.5)
        packets = self.client.packets()
        self.assertEqual(set(self.steps(packets)), {1})
        gap = (packets[before[1]].timestamp - packets[before[1] - 1].timestamp) % 2**32
        self.assertGreater(gap, 19 * 90000)


class ClockFaultTests(FaultTestCase):
    def report_times(self) -> list[tuple[float, float]]:
        """Of each report, wall clock and media clock: seconds from the first packet."""
        first = self.client.packets()[0].timestamp
        return [
            (
                round(ntp.utc_us_from_ntp(r.ntp_64) / 1e6 - NOON - 1000.0, 3),
                round((r.rtp_timestamp - first) % 2**32 / 90000, 3),
            )
            for r in self.client.reports()
            if isinstance(r, rtcp.SenderReport)
        ]

    def test_the_wall_clock(self) -> None:
        """``ntp``: the time of day jumps, the media clock runs on; clearing goes back."""
        self.client.play(SMALL)
        self.camera.raise_fault("jump-clock", by=3600)
        self.memory.advance(5.1)
        self.camera.clear_fault("jump-clock")
        self.memory.advance(5.1)
        offsets = [round(wall - media, 2) for wall, media in self.report_times()]
        self.assertEqual(offsets, [0.0, 3600.0, 0.0])

    def test_the_media_clock(self) -> None:
        """``rtp``: timestamps jump and go on from there, the time of day does not."""
        self.client.play(SMALL)
        self.memory.advance(0.1)
        self.camera.raise_fault("jump-clock", by=-60, clock="rtp")
        self.memory.advance(5.1)
        stamps = [frame[0].timestamp for frame in frames_of(self.client.packets())]
        steps = [((b - a + 2**31) % 2**32 - 2**31) for a, b in pairwise(stamps)]
        self.assertEqual([step for step in steps if step != 1800], [1800 - 60 * 90000])
        wall, media = self.report_times()[1]
        self.assertAlmostEqual(wall - (media - 2**32 / 90000), 60.0, places=2)

    def test_single_frames(self) -> None:
        """``frame`` with ``count``: one picture is an hour away, the next one right again."""
        self.client.play(SMALL)
        self.memory.advance(0.1)
        self.camera.raise_fault("jump-clock", by=3600, clock="frame", count=1)
        self.memory.advance(0.5)
        stamps = [frame[0].timestamp for frame in frames_of(self.client.packets())]
        steps = [((b - a + 2**31) % 2**32 - 2**31) for a, b in pairwise(stamps)]
        self.assertEqual(
            [step for step in steps if step != 1800], [1800 + 3600 * 90000, 1800 - 3600 * 90000]
        )


class RequestFaultTests(FaultTestCase):
    def test_each_refusal(self) -> None:
        """401, 453 and 503 answer what they are told to, as often as they are told to."""
        for name, status in REFUSALS.items():
            self.camera.raise_fault(name, methods="DESCRIBE", count=1)
            self.assertEqual(self.client.request("OPTIONS", self.client.url()).status, 200)
            for expected in (status, 200):
                response = self.client.request("DESCRIBE", self.client.url())
                self.assertEqual(response.status, expected)

    def test_their_usual_methods(self) -> None:
        """Without ``methods`` a full camera refuses SETUP and a busy one everything but talk."""
        url = self.client.url()
        self.camera.raise_fault("not-enough-bandwidth")
        self.assertEqual(self.client.request("DESCRIBE", url).status, 200)
        self.assertEqual(self.client.request("SETUP", url, Transport=TCP).status, 453)
        self.camera.clear_fault()
        self.camera.raise_fault("unavailable")
        self.assertEqual(self.client.request("OPTIONS", url).status, 200)
        self.assertEqual(self.client.request("DESCRIBE", url).status, 503)

    def test_unauthorized_comes_with_a_challenge(self) -> None:
        """Where there are accounts, the 401 looks like that of a wrong password."""
        memory = MemoryCamera(credentials=Credentials("root", "pass"))
        client = memory.connect()
        client.authenticator = Authenticator(Credentials("root", "pass"))
        challenge = client.request("DESCRIBE", client.url()).headers.get("WWW-Authenticate")
        client.authenticator.challenge([challenge])
        self.assertEqual(client.request("DESCRIBE", client.url()).status, 200)
        memory.camera.raise_fault("unauthorized")
        refused = client.request("DESCRIBE", client.url())
        self.assertEqual(refused.status, 401)
        self.assertIn("Digest realm=", refused.headers.get("WWW-Authenticate"))

    def test_disconnect(self) -> None:
        """All connections break at once; new ones are closed for as long as asked for."""
        other = self.memory.connect()
        self.client.play(SMALL)
        self.camera.raise_fault("disconnect", refuse=10)
        self.assertTrue(self.client.transport.aborted)
        self.assertTrue(other.transport.aborted)
        self.assertIsNone(self.camera.server.buildProtocol(None))
        self.memory.advance(10.0, step=1.0)
        self.memory.connect().play(SMALL)


class BoardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.board = FaultBoard(lambda: 0.0)

    def test_every_fault_can_be_raised_as_it_is(self) -> None:
        """All have defaults that can be used, and descriptions."""
        for name, (description, parameters) in FAULTS.items():
            self.assertTrue(description.endswith("."))
            self.assertTrue(all(parameter.description for parameter in parameters.values()))
            self.board.raise_fault(name)
        self.assertEqual(set(self.board.active), set(FAULTS))

    def test_what_cannot_be(self) -> None:
        """Unknown names and parameters and values out of range are refused with words."""
        for name, parameters, words in (
            ("explode", {}, "no fault 'explode'"),
            ("drop", {"speed": 1}, "drop has no parameter 'speed'"),
            ("drop", {"rate": 1.5}, "drop: rate cannot be '1.5'"),
            ("drop", {"rate": True}, "rate"),
            ("drop", {"track": "smell"}, "track"),
            ("jump-clock", {"clock": "sun"}, "clock"),
            ("jump-clock", {"by": float("nan")}, "by"),
            ("cut", {"disconnect": "yes"}, "disconnect"),
            ("cut", {"count": -1}, "cut: count cannot be '-1'"),
            ("unavailable", {"methods": "PLAY, FLY"}, "methods cannot be 'PLAY, FLY'"),
        ):
            with self.assertRaises(FaultError) as caught:
                self.board.raise_fault(name, parameters)
            self.assertIn(words, str(caught.exception))
        self.assertRaises(FaultError, self.board.clear, "explode")

    @settings(max_examples=100, deadline=None)
    @given(
        st.sampled_from([*FAULTS, "x"]),
        st.dictionaries(
            st.sampled_from(["rate", "count", "seconds", "by", "track", "y"]),
            st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=5)),
            max_size=3,
        ),
    )
    def test_any_parameters(self, name: str, parameters: dict[str, object]) -> None:
        """Whatever is asked for is a fault or a `FaultError`."""
        try:
            fault = self.board.raise_fault(name, parameters)
        except FaultError:
            return
        self.assertLessEqual(set(parameters), set(fault.parameters))
