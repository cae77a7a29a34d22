"""The virtual camera with protected media: who gets 463, and what the others get."""

import sys
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.server.srtp import KeySource
from axis_nvr.session.srtp import SrtpKey, SrtpReceiver, keys_of
from axis_nvr.session.srtp_keys import KeyMaker, offered_keys
from axis_nvr.simulator.plugin import Options
from axis_nvr.wire.key_mgmt import build_key_mgmt
from axis_nvr.wire.mikey import MikeyMessage
from axis_nvr.wire.rtcp import SenderReport, parse_compound
from axis_nvr.wire.rtp import RtpPacket, parse_packet
from axis_nvr.wire.rtsp import Response
from axis_nvr.wire.rtsp_headers import parse_transports
from axis_nvr.wire.sdp import parse_session
from tests.simulator.client import HOST, MemoryCamera, MemoryClient

KEYS = KeyMaker(0x1234, lambda: 0)
SAVP = "RTP/SAVP/TCP;unicast;interleaved=0-1"
WORDS = "Key management failure"
QUERY = "fps=10&resolution=640x360&videokeyframeinterval=5"


def set_up(client: MemoryClient, transport: str, key: MikeyMessage | None = None) -> Response:
    """Ask for the video."""
    url = f"rtsp://{HOST}/axis-media/media.amp/stream=0?{QUERY}"
    if key is None:
        response = client.request("SETUP", url, Transport=transport)
    else:
        header = build_key_mgmt(key, "")
        response = client.request("SETUP", url, Transport=transport, KeyMgmt=header)
    client.session = response.headers.get("Session").partition(";")[0]
    return response


def described_keys(client: MemoryClient) -> tuple[SrtpKey, ...]:
    """The keys that the description offers."""
    (video,) = parse_session(client.request("DESCRIBE", client.url(QUERY)).body).media
    keys = offered_keys(video.attributes)
    assert video.protocol == ("RTP/SAVP" if keys else "RTP/AVP")
    return keys


class SrtpTests(SynchronousTestCase):
    def media(self, source: KeySource | None, own: MikeyMessage | None) -> list[RtpPacket]:
        """What two seconds of video hold, their protection taken off."""
        memory = MemoryCamera(srtp=source)
        client = memory.connect()
        keys = described_keys(client)
        if source is KeySource.DEMANDED:
            assert own is not None
            keys = tuple(keys_of(own))
        response = set_up(client, SAVP if source else SAVP.replace("SAVP", "AVP"), own)
        self.assertEqual(response.status, 200)
        (transport,) = parse_transports(response.headers.get("Transport"))
        self.assertEqual(transport.profile, "SAVP" if source else "AVP")
        self.assertEqual(client.request("PLAY", client.url(QUERY)).status, 200)
        memory.advance(2.0)
        client.read()
        receiver = SrtpReceiver(keys)
        packets = []
        for channel, data in client.frames:
            take = receiver.unprotect if channel == 0 else receiver.unprotect_rtcp
            plain = take(data) if keys else data
            assert plain is not None
            if channel == 0:
                packets.append(parse_packet(plain))
            else:
                self.assertIsInstance(parse_compound(plain)[0], SenderReport)
        return packets

    def test_same_media(self) -> None:
        """Under the offered key, or the client's, comes what comes without."""
        plain = self.media(None, None)
        self.assertGreater(len(plain), 40)
        largest = max(len(packet.payload) for packet in plain)
        for source, mki_bytes in ((KeySource.OFFERED, 0), (KeySource.DEMANDED, 4)):
            found = self.media(source, KEYS.make(mki_bytes))
            self.assertEqual(
                [(p.timestamp, p.ssrc) for p in found if p.marker],
                [(p.timestamp, p.ssrc) for p in plain if p.marker],
            )
            # tag and name of the key take their place in packets that are no larger
            self.assertEqual(max(len(packet.payload) for packet in found), largest - 10 - mki_bytes)

    def test_no_proper_key(self) -> None:
        """Who asks for plain RTP, or brings no key of the right kind, gets 463 and no session."""
        for source, improper in (
            (KeySource.OFFERED, None),
            (KeySource.DEMANDED, None),
            (KeySource.DEMANDED, KEYS.make()),
            (KeySource.DEMANDED, KEYS.make(2)),
        ):
            memory = MemoryCamera(srtp=source)
            client = memory.connect()
            for transport in (SAVP, SAVP.replace("SAVP", "AVP")):
                response = set_up(client, transport, improper)
                self.assertEqual((response.status, response.reason), (463, WORDS))
            self.assertEqual(len(memory.camera.server.sessions), 0)
            self.assertEqual(memory.camera.clients(), [])
            self.assertEqual(set_up(client, SAVP, KEYS.make(4)).status, 200)

    def test_unreadable_key(self) -> None:
        """A header that is no MIKEY gets 463."""
        client = MemoryCamera(srtp=KeySource.OFFERED).connect()
        for value in ("prot=mikey", 'prot=mikey; data="AAAA"', "prot=other; data=AAAA"):
            response = client.request("SETUP", client.url(), Transport=SAVP, KeyMgmt=value)
            self.assertEqual(response.status, 463)

    def test_group_with_one_key(self) -> None:
        """A group cannot be under the key of each of its clients."""
        client = MemoryCamera(srtp=KeySource.DEMANDED).connect()
        self.assertEqual(set_up(client, "RTP/SAVP;multicast", KEYS.make(4)).status, 461)


class OptionTests(SynchronousTestCase):
    def test_srtp(self) -> None:
        """The switch has three positions."""
        for arguments, expected in (
            ([], None),
            (["--srtp", "off"], None),
            (["--srtp", "offered"], KeySource.OFFERED),
            (["--srtp", "demanded"], KeySource.DEMANDED),
        ):
            options = Options()
            options.parseOptions(arguments)
            self.assertEqual(options.settings.srtp, expected)
        self.patch(sys, "__stderr__", said := StringIO())
        self.assertRaises(SystemExit, Options().parseOptions, ["--srtp", "on"])
        self.assertIn("--srtp: off, offered, demanded", said.getvalue())
