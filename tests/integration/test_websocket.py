"""WebSockets with a peer that is not ours: the `websockets` package, at either end."""

import asyncio
import json
import queue
import ssl
import threading
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, serverFromString
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from websockets.asyncio.client import connect as connect_peer
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from axis_nvr.protocols.websocket import WebSocket
from axis_nvr.protocols.websocket_client import connect
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import EventDeclaration
from axis_nvr.session.websocket import Received
from axis_nvr.vapix.server import HttpServer
from axis_nvr.vapix.websocket.events import PATH, EventStreams
from tests.protocols.certificates import issue
from tests.vapix.serving import House

ALARM = "tns1:Device/tnsaxis:HardwareFailure/StorageFailure"
CONFIGURE = json.dumps(
    {
        "apiVersion": "1.0",
        "method": "events:configure",
        "params": {"eventFilterList": [{"topicFilter": "//."}]},
    }
)
COUNT = 200
#: How long anybody waits for anything.
PATIENCE_SECONDS = 60


class ServerTests(TestCase):
    async def setUp(self) -> None:  # type: ignore[override]
        house = House(self.mktemp())
        self.addCleanup(house.database.close)
        house.set_up()
        self.bus = EventBus(lambda: 0)
        self.bus.declare(EventDeclaration(ALARM))
        tokens = house.gatekeeper.tokens
        self.streams = EventStreams(self.bus, tokens)
        site = HttpServer(house.door, [self.streams.endpoint()]).site()
        pem = Path(self.mktemp())
        issued = issue("nvr", addresses=("127.0.0.1",))
        pem.write_bytes(issued.key_pem + issued.pem)
        self.urls = []
        for scheme, text in (
            ("ws", "tcp:0:interface=127.0.0.1"),
            ("wss", f"ssl:0:interface=127.0.0.1:privateKey={pem}"),
        ):
            port = await serverFromString(reactor, text).listen(site)
            self.addCleanup(port.stopListening)
            number, token = port.getHost().port, tokens.issue("vera")
            self.urls.append(
                f"{scheme}://127.0.0.1:{number}{PATH}?sources=events&wssession={token}"
            )

    async def test_events(self) -> None:
        """The peer hears every event in its order, packed or not, in TLS or not.

        Some events are long: they fill the buffers of the connection. Pings are answered, and
        what is no text ends the stream with 1003.
        """
        for url in self.urls:
            for compression in (None, "deflate"):
                configured = queue.Queue[str]()
                listening = deferToThread(be_peer, url, compression, configured)
                answer = json.loads(await deferToThread(configured.get, timeout=PATIENCE_SECONDS))
                self.assertEqual(answer["data"], {})
                for number in range(COUNT):
                    filling = "x" * (5000 if number % 10 == 0 else 10)
                    self.bus.emit(ALARM, (("number", str(number)), ("filling", filling)))
                heard = await listening
                self.assertEqual(heard.extensions, ["PerMessageDeflate"] if compression else [])
                self.assertEqual(heard.numbers, list(range(COUNT)))
                self.assertEqual(heard.code, 1003)


class Heard(NamedTuple):
    """What the peer heard."""

    extensions: list[str]
    numbers: list[int]
    code: int


async def listen(url: str, compression: str | None, configured: "queue.Queue[str]") -> Heard:
    """Be the peer.

    Not the one with threads: until Python 3.13 a socket of TLS cannot be read while it is written
    to by another thread, and about one in a hundred connections hung.
    """
    context = None
    if url.startswith("wss"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with connect_peer(url, compression=compression, ssl=context, proxy=None) as peer:
        extensions = [type(extension).__name__ for extension in peer.protocol.extensions]
        await peer.send(CONFIGURE)
        configured.put(str(await peer.recv()))
        messages = [json.loads(await peer.recv()) for _ in range(COUNT)]
        await (await peer.ping())
        await peer.send(b"no text")
        code = 0
        try:
            await peer.recv()
        except ConnectionClosed as closed:
            code = 0 if closed.rcvd is None else closed.rcvd.code
    told = [message["params"]["notification"]["message"]["data"] for message in messages]
    return Heard(extensions, [int(data["number"]) for data in told], code)


def be_peer(url: str, compression: str | None, configured: "queue.Queue[str]") -> Heard:
    """Listen, on a thread of its own."""
    return asyncio.run(asyncio.wait_for(listen(url, compression, configured), 2 * PATIENCE_SECONDS))


class Listener:
    """Notes what comes until the end."""

    def __init__(self) -> None:
        self.heard: list[Received] = []
        self.ended: Deferred[int] = Deferred()

    def opened(self, websocket: WebSocket) -> None:
        websocket.send("hello")

    def received(self, message: Received) -> None:
        self.heard.append(message)

    def blocked(self) -> None:
        pass

    def writable(self) -> None:
        pass

    def closed(self, code: int, reason: str) -> None:
        self.ended.callback(code)


class ClientTests(TestCase):
    async def test_a_server(self) -> None:
        """We hear what the peer sends, in fragments, packed or not, and its close code."""

        def handle(peer: Any) -> None:
            heard = peer.recv(PATIENCE_SECONDS)
            peer.send(["frag", "men", "ted"])
            peer.send(heard * 1000)
            peer.send(bytes(100_000))
            peer.close(4001, "enough")

        server = serve(handle, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join, PATIENCE_SECONDS)
        self.addCleanup(server.shutdown)
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", server.socket.getsockname()[1])
        for deflate in (False, True):
            listener = Listener()
            await connect(reactor, endpoint, "localhost", "/", listener, deflate=deflate)
            self.assertEqual(await listener.ended, 4001)
            self.assertEqual(listener.heard[:2], ["fragmented", "hello" * 1000])
            self.assertEqual(repr(listener.heard[2]), "Oversized(size=100000)")
