"""What should not be sent is refused at every endpoint, and changes nothing.

The endpoints and the names of their arguments are found in the program: a new one is among them by
itself. What holds for every request: an answer comes, it is no 500, nothing is told of files, the
log has no traceback, and what was not answered as done has not been done.
"""

import itertools
import json
import socket
import struct
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.client import Answer, Client, connect, digest
from tests.conformance.harness import ACCOUNTS, ROLES, ConformanceTestCase, set_up, started
from tests.conformance.poison import BODIES, KINDS, NO_REQUESTS, PATHS, SOAP, VALUES
from tests.conformance.processes import RecorderProgram
from tests.conformance.surface import all_arguments, all_paths, state_of
from tests.storage.faults.effort import draw, either

#: What in an answer says that nothing was done.
REFUSALS = (b"SOAP-ENV:Fault", b'result="ERROR"', b"<GeneralError>", b"Error:", b'"error"')
#: What no answer may have in it.
SECRETS = (b"root:x:0:", b"Traceback", b"pass-root", b"pass-vera", b"sqlite3.")
#: Arguments that let a request come further, where another one of it is wrong.
RIGHT = {
    "schemaversion": "1",
    "id": "robust",
    "user": "robust",
    "pwd": "x",
    "sgrp": "viewer",
    "action": "update",
    "diskid": "HDD_DISK",
    "options": "device%3Drobust",
    "recordingid": "20240101_000000_0000_ACCC8E012345",
    "profile": "1",
    "enabled": "yes",
}
#: Asked for with right arguments these do what one would not have done to the disk of the tests.
HARMFUL = "/axis-cgi/disks/"


@cache
def recorder() -> RecorderProgram:
    """Give a recorder for these tests alone."""
    program = started(RecorderProgram, "robust")
    set_up(program.http)
    return program


class RobustnessTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        self.ours()
        self.program = recorder()
        self.clients = {}
        for role in ROLES:
            self.clients[role] = Client(self.program.http, ACCOUNTS.get(role))
            self.addCleanup(self.clients[role].close)
        self.paths = all_paths(Path(self.mktemp()).absolute())
        self.said = len(self.program.said())
        self.before = self.state()

    def tearDown(self) -> None:
        said = self.program.said()[self.said :]
        for word in ("Traceback", "Unhandled", "#critical"):
            self.assertNotIn(word, said, said[-3000:])
        self.assertIsNone(self.program.process.poll(), "it runs")
        self.assertEqual(self.clients["viewer"].ask("/axis-cgi/usergroup.cgi").status, 200)

    def state(self) -> dict[str, Any]:
        return state_of(self.program.state)

    def check(self, answer: Answer, asked: object) -> Answer:
        """Make sure of what holds for every answer."""
        self.assertLess(answer.status, 500, f"{asked!r:.300}: {answer.text:.300}")
        for word in SECRETS:
            self.assertNotIn(word, answer.body, f"{asked!r:.300}")
        self.assertFalse([f for f in answer.fields if f[0] == "set-cookie"], asked)
        return answer

    def ask_as(
        self,
        role: str,
        uri: str,
        method: str = "GET",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask; what was refused must not have been done."""
        answer = self.clients[role].ask(uri, method, body, headers)
        self.check(answer, (role, method, uri, body[:60]))
        refused = answer.status >= 400 or any(word in answer.body for word in REFUSALS)
        if role == "admin" and not refused:
            self.before = self.state()
        return answer

    def unchanged(self, asked: object) -> None:
        """Make sure that nothing has changed but what was answered as done."""
        self.assertEqual(self.state(), self.before, f"{asked!r:.300}")


class ArgumentTests(RobustnessTestCase):
    def test_everything_wrong_at_once(self) -> None:
        """Every argument that there is with the same wrong value; repeated, with another one."""
        names = all_arguments()
        for number, (path, value) in enumerate(itertools.product(self.paths, VALUES)):
            if number % either(5, 1):
                continue
            some = names if len(value) < 100 else names[:: len(value) // 60]
            query = "&".join(f"{name}={value}" for name in some)
            self.ask_as("admin", f"{path}?{query}&{query[:200]}&x=2")
            self.unchanged((path, value))

    def test_each_argument_by_itself(self) -> None:
        """One argument is wrong and those around it are right, missing, or empty."""
        seed, random = draw()
        for path, name in itertools.product(self.paths, all_arguments()):
            if random.random() > either(1, 20) / 100:
                continue
            for value in random.sample(VALUES, 2):
                right = {} if path.startswith(HARMFUL) else RIGHT
                if "externalip" in path:
                    right = right | {"schemaversion": "2"}
                query = "&".join(f"{n}={v}" for n, v in (right | {name: value}).items())
                self.ask_as("admin", f"{path}?{query}")
                self.unchanged((seed, path, name, value))

    def test_those_who_may_not(self) -> None:
        """Whatever viewers and nobody send, accounts, devices, recordings and groups stay."""
        names = all_arguments()
        for path, role in itertools.product(self.paths, ("viewer", "")):
            for value in VALUES[:: either(9, 1)]:
                some = names if len(value) < 100 else names[:3]
                self.ask_as(role, f"{path}?" + "&".join(f"{n}={value}" for n in some))
            right = "&".join(f"{n}={v}" for n, v in RIGHT.items())
            self.ask_as(role, f"{path}?{right}")
            self.ask_as(role, path, "POST", right.encode(), {"Content-Type": KINDS[1]})
            self.unchanged((path, role))

    def test_too_many(self) -> None:
        """10 000 arguments, or 64 KiB of them, are refused at every endpoint."""
        for path in self.paths:
            query = "&".join(f"a{i}=" for i in range(2000))
            self.assertIn(self.ask_as("admin", f"{path}?{query}").status, (400, 404, 405), path)
            for body in (BODIES["many arguments"], BODIES["a long argument"]):
                answer = self.ask_as("admin", path, "POST", body, {"Content-Type": KINDS[1]})
                self.assertIn(answer.status, (400, 404, 405), path)
        self.unchanged("too many")


class RequestTests(RobustnessTestCase):
    def test_methods(self) -> None:
        """Each method at each endpoint, those among them that nobody has heard of."""
        methods = ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")
        for path, method in itertools.product(self.paths, (*methods, "get", "G" * 300)):
            for role in ("admin", ""):
                answer = self.ask_as(role, path, method)
                self.assertIn(answer.status, (200, 400, 401, 404, 405), f"{method} {path}")
        self.unchanged("methods")

    def test_bodies(self) -> None:
        """Each body at each endpoint that takes one, said to be of each kind."""
        seed, random = draw()
        for path, (name, body) in itertools.product(self.paths, BODIES.items()):
            if random.random() > either(20, 100) / 100:
                continue
            for kind in random.sample(KINDS, either(1, 2)):
                method = "PATCH" if path.startswith("/config") else "POST"
                headers = {"Content-Type": kind}
                answer = self.ask_as("admin", path, method, body, headers)
                self.assertLessEqual(len(answer.body), 100_000, name)
            self.unchanged((seed, path, name))

    def test_paths(self) -> None:
        """Paths that lead out, are not text, or have no end."""
        for path in PATHS:
            for answer in (self.raw(b"GET", path), self.raw(b"POST", path)):
                self.assertNotIn(b" 500 ", answer[:20], path)
                for word in SECRETS:
                    self.assertNotIn(word, answer, path)
        self.unchanged("paths")

    def raw(self, method: bytes, path: bytes) -> bytes:
        """What is answered to a viewer's request for a path as it is."""
        uri = path.decode("latin-1")
        challenge = self.clients[""].send("/").challenges["digest"]
        proof = digest(challenge, ACCOUNTS["viewer"], method.decode(), uri)
        head = b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" % (method, path)
        return self.exchange(head + f"Authorization: {proof}\r\n\r\n".encode("latin-1"))

    def exchange(self, sent: bytes) -> bytes:
        """All that is answered until the recorder or we have had enough."""
        with connect(self.program.http) as connection:
            connection.settimeout(3)
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                return connection.makefile("rb").read()
            except (TimeoutError, ConnectionError, OSError):
                return b""

    def test_what_is_no_request(self) -> None:
        """Bytes that are no HTTP get an error or nothing, and stay without effect."""
        for sent in NO_REQUESTS:
            answer = self.exchange(sent)
            self.assertNotRegex(answer[:20], b"^HTTP/1.[01] (5|200)", sent[:80])
        self.unchanged("no requests")

    def test_bodies_that_are_too_long(self) -> None:
        """413 before the body has come, whether its length was told or not."""
        head = b"POST /axis-cgi/systemready.cgi HTTP/1.1\r\nHost: x\r\n"
        answer = self.exchange(head + b"Content-Length: 2000000\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413"), answer[:50])
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        with connect(self.program.http) as connection:
            connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(40):
                    connection.sendall(chunk)
                answer = connection.recv(1000)
            except ConnectionError:
                answer = b"HTTP/1.1 413"  # it was closed upon us, which says the same
        self.assertTrue(answer.startswith(b"HTTP/1.1 413"), answer[:50])

    def test_slow_clients(self) -> None:
        """Clients that come to no end hold nobody else up."""
        head = b"POST /axis-cgi/systemready.cgi HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        slow = [connect(self.program.http) for _ in range(50)]
        for number, connection in enumerate(slow):
            self.addCleanup(connection.close)
            connection.sendall(head[: 1 + number * 2] if number < 40 else head + b"x" * 10)
        for _ in range(20):
            self.assertEqual(self.ask_as("viewer", "/axis-cgi/usergroup.cgi").status, 200)

    def test_clients_that_leave(self) -> None:
        """Who leaves in the middle of an answer, or of many, leaves no trace."""
        place = urlsplit(self.program.http)
        challenge = self.clients[""].send("/").challenges["digest"]
        for path in self.paths[:: either(3, 1)]:
            proof = digest(challenge, ACCOUNTS["admin"], "GET", path)
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {proof}\r\n\r\n".encode()
            connection = socket.create_connection((place.hostname, place.port), 10)
            linger = struct.pack("ii", 1, 0)  # closed by a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.sendall(head * 20)
            connection.recv(1)
            connection.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=8,
)
METHODS = ("getApiList", "getProperties", "getAllProperties", "systemready", "getSupportedVersions")
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": st.sampled_from(("1.0", "1", "2.0")) | JSON,
        "context": JSON,
        "method": st.sampled_from(METHODS) | JSON,
        "params": st.dictionaries(st.sampled_from(("id", "version", "propertyList")), JSON) | JSON,
        "data": JSON,
    },
)


class JsonTests(RobustnessTestCase):
    def test_generated_requests(self) -> None:
        """Requests of the right form with anything in it: a reply in the envelope, each time."""

        @settings(max_examples=either(60, 2000), deadline=None)
        @given(REQUESTS)
        def try_one(request: dict[str, Any]) -> None:
            body = json.dumps(request).encode()
            for name in ("apidiscovery", "basicdeviceinfo", "systemready"):
                reply = self.ask_as("admin", f"/axis-cgi/{name}.cgi", "POST", body).json
                self.assertEqual(("data" in reply) + ("error" in reply), 1, reply)
            uri = "/config/rest/basic-device-info/v2beta"
            for method, part in itertools.product(("PATCH", "POST"), ("", "/allowAnonymous")):
                reply = self.ask_as("admin", uri + part, method, body).json
                self.assertEqual(reply["status"], "error")

        try_one()
        self.unchanged("generated")


EVENT, ACTION = (f"http://www.axis.com/vapix/ws/{name}" for name in ("event1", "action1"))
#: Operations that take something. None of what is generated below can be done.
OPERATIONS = (
    (EVENT, "AddScheduledEvent"),
    (EVENT, "RemoveScheduledEvent"),
    (EVENT, "GetScheduledEvents"),
    (EVENT, "ChangeVirtualInputState"),
    (ACTION, "AddActionConfiguration"),
    (ACTION, "RemoveActionConfiguration"),
    (ACTION, "AddRecipientConfiguration"),
    (ACTION, "RemoveRecipientConfiguration"),
    (ACTION, "AddActionRule"),
    (ACTION, "RemoveActionRule"),
)
ELEMENTS = (
    *("NewScheduledEvent", "EventID", "Name", "Schedule", "ICalendar", "ScheduleFilter", "port"),
    *("NewActionConfiguration", "TemplateToken", "Parameters", "Parameter", "ConfigurationID"),
    *("NewRecipientConfiguration", "NewActionRule", "Enabled", "StartEvent", "Conditions"),
    *("Condition", "ActivationTimeout", "PrimaryAction", "FailoverAction", "RuleID"),
    *("w:TopicExpression", "w:MessageContent"),
)
TEXTS = st.text(max_size=20).map(escape) | st.sampled_from(
    ("", "1", "-1", "9" * 30, "true", "P1D", "PT0S", "tns1:Device//.", "DTSTART:20260105T080000")
)
CHILDREN = st.recursive(
    TEXTS,
    lambda inner: st.lists(
        st.builds("<{0}>{1}</{0}>".format, st.sampled_from(ELEMENTS), inner), max_size=4
    ).map("".join),
    max_leaves=10,
)


class SoapTests(RobustnessTestCase):
    def test_generated_requests(self) -> None:
        """Operations with anything in them: a fault or an answer, in an envelope, each time."""
        wsnt = "http://docs.oasis-open.org/wsn/b-2"

        @settings(max_examples=either(60, 3000), deadline=None)
        @given(st.sampled_from(OPERATIONS), CHILDREN)
        def try_one(operation: tuple[str, str], children: str) -> None:
            namespace, name = operation
            body = (
                f'<s:Envelope xmlns:s="{SOAP.decode()}" xmlns:w="{wsnt}"><s:Body>'
                f'<{name} xmlns="{namespace}">{children}</{name}></s:Body></s:Envelope>'
            ).encode("utf-8", "replace")
            answer = self.ask_as("admin", "/vapix/services", "POST", body)
            self.assertEqual(len(answer.xml[0]), 1, answer.text)

        try_one()
        self.unchanged("generated")
