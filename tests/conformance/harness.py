"""What the conformance tests ask: a recorder of ours, or a device that the environment names.

A module for another API:

1. make ``tests/conformance/test_<api>.py`` with classes that inherit `ConformanceTestCase`; there
   is nothing to be registered;
2. ask with `ConformanceTestCase.ask` (any answer), ``ask_xml`` (the root of an answer of the XML
   CGIs) or ``ask_json`` (the reply of a JSON CGI); arguments are keywords, ``role`` says who asks;
3. go through the page of the API: a test for each method, role, argument and error code, its
   docstring the sentence that it holds; compare names, order and values, not texts that are free;
4. use ids of `ConformanceTestCase.fresh_id`, and remove what was made with ``addCleanup``: the next
   test finds the same device;
5. begin a test of what only our recorder has (a folder to look into, a limit of ours) with
   ``self.ours()``: pointed at another device it is skipped. `ConformanceTestCase.device` tells the
   disk; `ConformanceTestCase.camera_device` makes an external device that can be recorded;
6. where a test needs a recorder of its own, such as one without accounts, make a
   `tests.conformance.processes.RecorderProgram`; it costs two seconds.

The recorder is started once for all tests of a process, and ends with it. The variables are
described in ``docs/guide/conformance.md``.
"""

import atexit
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.conformance.client import Account, Answer, Client
from tests.conformance.processes import CameraProgram, Program, RecorderProgram

#: What each variable is called begins with this.
PREFIX = "AXIS_NVR_CONFORMANCE_"
#: The roles, most may do first, and the accounts that our recorder gets.
ACCOUNTS: dict[str, Account] = {
    "admin": ("root", "pass-root"),
    "operator": ("otto", "pass-otto"),
    "viewer": ("vera", "pass-vera"),
}
GROUPS = {"admin": "admin:operator:viewer:ptz", "operator": "operator:viewer", "viewer": "viewer"}
#: Who asks: a role, or nobody.
ROLES = (*ACCOUNTS, "")
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"

AnyProgram = TypeVar("AnyProgram", bound=Program)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Camera:
    """A camera that the recorder can reach, with an account on it."""

    address: str
    port: int
    account: Account


@dataclass(frozen=True)
class Device:
    """What is asked.

    :param https: empty if there is none.
    :param accounts: by role.
    :param program: our recorder; None for another device.
    """

    http: str
    https: str
    accounts: dict[str, Account]
    disk: str
    program: RecorderProgram | None = None


@cache
def device() -> Device:
    """Give the device under test; our recorder is started when it is first asked for."""
    named = {n.removeprefix(PREFIX): v for n, v in os.environ.items() if n.startswith(PREFIX)}
    if "ADDRESS" in named:
        accounts = {role: _account(named.get(role.upper(), "")) for role in ACCOUNTS}
        address, disk = named["ADDRESS"].rstrip("/"), named.get("DISK", "HDD_DISK")
        return Device(address, named.get("HTTPS", "").rstrip("/"), accounts, disk)
    program = started(RecorderProgram, "recorder")
    set_up(program.http)
    return Device(program.http, program.https, ACCOUNTS, "HDD_DISK", program)


@cache
def camera() -> Camera:
    """Give the camera; ours is started when it is first asked for."""
    named = os.environ.get(f"{PREFIX}CAMERA", "")
    if named:
        account, _, place = named.rpartition("@")
        host, _, port = place.rpartition(":")
        return Camera(host or port, int(port) if host else 0, _account(account))
    program = started(CameraProgram, "camera")
    return Camera("127.0.0.1", program.port, program.account)


def started(kind: Callable[[Path], AnyProgram], name: str) -> AnyProgram:
    """Start a program that ends with this process.

    :param name: of its folder.
    """
    program = kind(_folder() / name)
    atexit.register(program.end)
    return program


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="axis_nvr-conformance-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _account(text: str) -> Account:
    name, _, password = text.partition(":")
    return name, password


def set_up(site: str) -> None:
    """Make an account of each role on a recorder that has none."""
    client = Client(site, ACCOUNTS["admin"])
    for role, (name, password) in ACCOUNTS.items():
        group = "root" if role == "admin" else "users"
        query = {"action": "add", "user": name, "pwd": password, "grp": group}
        uri = f"/axis-cgi/pwdgrp.cgi?{urlencode({**query, 'sgrp': GROUPS[role]})}"
        answer = client.ask(uri)
        assert answer.status == 200, answer
        assert f"Created account {name}." in answer.text, answer
    client.close()


class ConformanceTestCase(SynchronousTestCase):
    """Asks the device under test."""

    @property
    def device(self) -> Device:
        """The device under test."""
        return device()

    def account_of(self, role: str) -> Account:
        """Give the account of a role; skip the test where none is known."""
        return _account_of(role)

    def client(self, role: str = "", *, is_secure: bool = False) -> Client:
        """Make a client with a connection of its own.

        :param role: empty for nobody.
        """
        client = _new_client(role, is_secure)
        self.addCleanup(client.close)
        return client

    def ask(
        self,
        path: str,
        role: str = "admin",
        *,
        method: str = "GET",
        is_secure: bool = False,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        **arguments: Any,
    ) -> Answer:
        """Ask; arguments go into the query."""
        uri = f"{path}?{urlencode(arguments)}" if arguments else path
        return _shared_client(role, is_secure).ask(uri, method, body, headers)

    def ask_xml(self, path: str, role: str = "admin", **arguments: Any) -> ET.Element:
        """Ask an XML CGI; give the root of its answer."""
        answer = self.ask(path, role, **arguments)
        self.assertEqual(answer.status, 200, answer.text[:300])
        self.assertEqual(answer.header("Content-Type").partition(";")[0], "text/xml")
        return answer.xml

    def ask_json(
        self,
        path: str,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        role: str = "admin",
        version: str = "1.0",
    ) -> dict[str, Any]:
        """Call a method of a JSON CGI; give its reply."""
        request: dict[str, Any] = {"apiVersion": version, "context": "c-1", "method": method}
        if params is not None:
            request["params"] = params
        answer = self.post(path, request, role)
        self.assertEqual(answer.status, 200, answer.text[:300])
        self.assertEqual(answer.header("Content-Type").partition(";")[0], "application/json")
        reply: dict[str, Any] = answer.json
        return reply

    def post(self, path: str, request: object, role: str = "admin") -> Answer:
        """Post a JSON document."""
        headers = {"Content-Type": "application/json"}
        body = json.dumps(request).encode()
        return self.ask(path, role, method="POST", body=body, headers=headers)

    def assert_roles(self, path: str, *roles: str, **arguments: Any) -> None:
        """Check who is let in: others with an account get 403, nobody gets 401."""
        for role in ROLES:
            if role and not self.device.accounts[role][0]:
                continue
            status = self.ask(path, role, **arguments).status
            expected = 200 if role in roles else 403 if role else 401
            self.assertEqual(status, expected, f"{path} as {role or 'nobody'}")

    def fresh_id(self) -> str:
        """Give an id that nothing has yet."""
        return f"conformance-{os.getpid()}-{next(_numbers)}"

    def camera_device(self) -> str:
        """Make an external device of the camera, for the time of the test; give its id."""
        device_id, found = self.fresh_id(), camera()
        path = "/axis-cgi/externalipdeviceinfo/"
        name, password = found.account
        root = self.ask_xml(
            f"{path}create.cgi",
            schemaversion=2,
            id=device_id,
            address=found.address,
            port=found.port,
            username=name,
            password=password,
        )
        self.assertEqual([child.tag for child in root], ["GeneralSuccess"])
        self.addCleanup(self.ask, f"{path}delete.cgi", schemaversion=2, id=device_id)
        return device_id

    def ours(self) -> RecorderProgram:
        """Give our recorder; skip the test where another device is asked."""
        if self.device.program is None:
            raise SkipTest("needs a recorder of ours")
        return self.device.program


def _new_client(role: str, is_secure: bool) -> Client:
    site = device().https if is_secure else device().http
    if not site:
        raise SkipTest(f"{PREFIX}HTTPS is not set")
    return Client(site, _account_of(role) if role else None)


def _account_of(role: str) -> Account:
    account = device().accounts[role]
    if not account[0]:
        raise SkipTest(f"{PREFIX}{role.upper()} is not set")
    return account


@cache
def _shared_client(role: str, is_secure: bool) -> Client:
    """Give the client that all tests share: one connection and one nonce for each role."""
    return _new_client(role, is_secure)
