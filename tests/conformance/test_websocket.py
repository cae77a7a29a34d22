"""Event streaming over WebSocket, RTSP over WebSocket, and the tokens of both."""

import asyncio
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest
from websockets.asyncio.client import connect as connect_here
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.conformance.client import digest
from tests.conformance.harness import ConformanceTestCase

TOKENS = ("/axis-cgi/wssession.cgi", "/axis-cgi/rtspwssession.cgi")
EVENTS = "/vapix/ws-data-stream?sources=events"
RTSP = "/rtsp-over-websocket"
PATIENCE_SECONDS = 60


class SocketTestCase(ConformanceTestCase):
    def token(self, path: str = TOKENS[0]) -> str:
        return self.ask(path, "viewer").text.strip()

    def open(self, target: str, **options: Any) -> ClientConnection:
        """Open a WebSocket, which is closed after the test."""
        url = self.device.http.replace("http", "ws", 1) + target
        # without a limit of its queue: it reads no close frame while the queue is full
        opened: ClientConnection = connect(url, proxy=None, max_queue=None, **options)
        self.addCleanup(opened.close)
        return opened

    def refused(self, target: str, **options: Any) -> int:
        """The status with which a WebSocket is refused."""
        refusal = self.assertRaises(InvalidStatus, self.open, target, **options)
        return int(refusal.response.status_code)


class TokenTests(ConformanceTestCase):
    def test_a_token_is_a_number(self) -> None:
        """Both CGIs give viewers a long decimal number as text, each time another one."""
        for path in TOKENS:
            self.assert_roles(path, "viewer", "operator", "admin")
            answer = self.ask(path, "viewer")
            self.assertEqual(answer.header("Content-Type").partition(";")[0], "text/plain")
            self.assertRegex(answer.text, r"^[0-9]{10,}\s*$")
            self.assertNotEqual(answer.text, self.ask(path, "viewer").text)


class EventStreamTests(SocketTestCase):
    def stream(self, **options: Any) -> ClientConnection:
        return self.open(f"{EVENTS}&wssession={self.token()}", **options)

    def configure(self, stream: ClientConnection, *filters: dict[str, str], **more: Any) -> Any:
        """Send a configuration and give the next message."""
        request = {
            "apiVersion": "1.0",
            "context": "c 1",
            "method": "events:configure",
            "params": {"eventFilterList": list(filters)},
        }
        stream.send(json.dumps(request | more))
        return json.loads(stream.recv(PATIENCE_SECONDS))

    def test_api_discovery(self) -> None:
        """The API tells that it is there: event-streaming-over-websocket 1.0."""
        reply = self.ask_json("/axis-cgi/apidiscovery.cgi", "getApiList")
        versions = {api["id"]: api["version"] for api in reply["data"]["apiList"]}
        self.assertEqual(versions.get("event-streaming-over-websocket"), "1.0")

    def test_the_reply_comes_first(self) -> None:
        """The first message is the reply, with context, method and empty data."""
        self.assertEqual(
            self.configure(self.stream(), {"topicFilter": "//."}),
            {"apiVersion": "1.0", "context": "c 1", "method": "events:configure", "data": {}},
        )

    def test_in_tls(self) -> None:
        """Over HTTPS it is the same."""
        if not self.device.https:
            raise SkipTest("no HTTPS")
        url = self.device.https.replace("http", "ws", 1) + f"{EVENTS}&wssession={self.token()}"
        reply = json.loads(asyncio.run(one_reply(url)))
        self.assertEqual((reply["method"], reply["data"]), ("events:configure", {}))

    def test_notifications(self) -> None:
        """States come after the reply, in the form of the page; values are strings."""
        stream = self.stream()
        self.configure(stream, {"topicFilter": "//."})
        message = json.loads(stream.recv(PATIENCE_SECONDS))
        self.assertEqual((message["apiVersion"], message["method"]), ("1.0", "events:notify"))
        told = message["params"]["notification"]
        self.assertRegex(told["topic"], r"^(tns1|tnsaxis):[^:]+(/(tns1|tnsaxis):[^:]+)*$")
        self.assertIsInstance(told.get("timestamp", 0), int)
        self.assertLess(abs(told.get("timestamp", 0) / 1000 - time.time()), 3600)
        for items in told["message"].values():
            self.assertTrue(all(isinstance(value, str) for value in items.values()))

    def test_http_authentication(self) -> None:
        """Digest on the request is as good as a token; without either the answer is 401."""
        answer = self.ask(EVENTS, "")
        self.assertEqual(answer.status, 401)
        account = self.account_of("viewer")
        proof = digest(answer.challenges["digest"], account, "GET", EVENTS)
        stream = self.open(EVENTS, additional_headers={"Authorization": proof})
        self.assertIn("data", self.configure(stream, {"topicFilter": ""}))
        self.assertEqual(self.refused(EVENTS), 401)
        self.assertEqual(self.refused(f"{EVENTS}&wssession=12345678901234567890"), 401)

    def test_compression_may_be_declined(self) -> None:
        """With and without permessage-deflate the same is said."""
        for compression in ("deflate", None):
            stream = self.stream(compression=compression)
            self.assertIn("data", self.configure(stream, {"topicFilter": "//."}))
            self.assertIsInstance(stream.recv(PATIENCE_SECONDS), str)

    def test_filters_are_checked(self) -> None:
        """Each kind of wrong request has its code, and the stream goes on after it."""
        stream = self.stream()
        for more, code in (
            ({"apiVersion": "9.0"}, 2100),
            ({"method": "events:nothing"}, 2102),
            ({"params": {}}, 2103),
            ({"params": {"eventFilterList": [{}]}}, 2103),
            ({"params": {"eventFilterList": [{"contentFilter": "boolean("}]}}, 2104),
        ):
            self.assertEqual(self.configure(stream, **more)["error"]["code"], code, more)
        stream.send("{no json")
        answer = json.loads(stream.recv(PATIENCE_SECONDS))
        self.assertEqual(answer["error"]["code"], 2101)
        self.assertIn("data", self.configure(stream, {"topicFilter": "//."}))

    def test_limits(self) -> None:
        """A request that is too large is told so; one far larger ends the stream; others go on."""
        self.ours()
        stream = self.stream()
        stream.send("x" * 100_000)
        answer = json.loads(stream.recv(PATIENCE_SECONDS))
        self.assertEqual(answer["error"]["code"], 2107)
        other = self.stream()
        stream.send("[" * 60_000)
        answer = json.loads(stream.recv(PATIENCE_SECONDS))
        self.assertEqual(answer["error"]["code"], 2101)
        stream.send("x" * 2_000_000)
        closed = self.assertRaises(ConnectionClosed, stream.recv, PATIENCE_SECONDS)
        self.assertEqual(closed.rcvd.code, 1009)
        self.assertIn("data", self.configure(other))

    def test_what_is_no_websocket(self) -> None:
        """Unknown sources, other methods and requests for no WebSocket are refused."""
        self.assertEqual(self.refused(f"/vapix/ws-data-stream?wssession={self.token()}"), 400)
        self.ours()
        self.assertEqual(self.ask(EVENTS, "viewer").status, 426)
        self.assertEqual(self.ask(EVENTS, "viewer", method="POST").status, 405)

    def test_pages_of_other_sites(self) -> None:
        """What a browser remembers does not open a stream for the page of another site."""
        self.ours()
        answer = self.ask(EVENTS, "viewer", headers={"Origin": "http://evil.example"})
        self.assertEqual(answer.status, 403)


async def one_reply(url: str) -> str:
    """Configure a stream in TLS and give the first message.

    Not by threads: until Python 3.13 a socket of TLS cannot be read while it is written to.
    """
    context = ssl._create_unverified_context()  # noqa: S323
    async with connect_here(url, ssl=context, proxy=None, max_queue=None) as stream:
        params = {"eventFilterList": [{"topicFilter": "//."}]}
        request = {"apiVersion": "1.0", "method": "events:configure", "params": params}
        await stream.send(json.dumps(request))
        return str(await asyncio.wait_for(stream.recv(), PATIENCE_SECONDS))


class RtspTests(SocketTestCase):
    def test_rtsp_goes_through(self) -> None:
        """Both subprotocols carry RTSP, cut anywhere; nobody is asked for credentials inside."""
        for name in ("binary", "rtsp.onvif.org"):
            target = f"{RTSP}?rtspwssession={self.token(TOKENS[1])}"
            player = self.open(target, subprotocols=[Subprotocol(name)])
            self.assertEqual(player.subprotocol, name)
            url = "rtsp://127.0.0.1/axis-media/media.amp?device=absent"
            for method in ("OPTIONS", "DESCRIBE"):
                request = f"{method} {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode()
                player.send(request[:10])
                player.send(request[10:])
                answer = player.recv(PATIENCE_SECONDS)
                assert isinstance(answer, bytes)
                self.assertTrue(answer.startswith(b"RTSP/1.0 "), answer)
                self.assertFalse(answer.startswith(b"RTSP/1.0 401 "), answer)

    def test_who_is_let_in(self) -> None:
        """Nobody without an account or a token."""
        self.assertEqual(self.refused(RTSP, subprotocols=[Subprotocol("binary")]), 401)

    def test_text_is_refused(self) -> None:
        """A text message ends the connection with 1003."""
        self.ours()
        target = f"{RTSP}?rtspwssession={self.token()}"
        player = self.open(target, subprotocols=[Subprotocol("binary")])
        player.send("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        closed = self.assertRaises(ConnectionClosed, player.recv, PATIENCE_SECONDS)
        self.assertEqual(closed.rcvd.code, 1003)


class GuideTests(ConformanceTestCase):
    def test_the_example(self) -> None:
        """The program of the guide hears the reply and the states."""
        program = self.ours()
        text = (Path(__file__).parents[2] / "docs" / "guide" / "events.md").read_text()
        code = text.partition("```python\n")[2].partition("```")[0]
        code = code.replace("localhost:8080", program.http.partition("//")[2])
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            lines = [json.loads(running.stdout.readline()) for _ in range(2)]
            running.kill()
        self.assertEqual([line["method"] for line in lines], ["events:configure", "events:notify"])
