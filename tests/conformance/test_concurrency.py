"""Several clients at once, and a recorder that is killed while it is told something.

What was answered as done is done once, for everybody, and is still so after ``kill -9``.
"""

import http.client
import itertools
import random
import re
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Event, Thread
from urllib.parse import quote

from tests.conformance.client import Client
from tests.conformance.harness import ACCOUNTS, ConformanceTestCase, set_up, started
from tests.conformance.processes import RecorderProgram
from tests.storage.faults.effort import either

DEVICES = "/axis-cgi/externalipdeviceinfo/"
CONTINUOUS = "/axis-cgi/record/continuous/"
ACCOUNT = "/axis-cgi/pwdgrp.cgi"
#: How often two clients do the same thing at once.
ROUNDS = either(4, 20)


def at_once(*works: Callable[[], str]) -> list[str]:
    """Do several things at the same moment, each in a thread; give what came of each."""
    barrier, found = Barrier(len(works)), [""] * len(works)

    def run(number: int) -> None:
        barrier.wait(10)
        found[number] = works[number]()

    threads = [Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


class TwoClientsTests(ConformanceTestCase):
    def setUp(self) -> None:
        self.program = self.ours()
        self.one, self.other = self.client("admin"), self.client("admin")
        for client in (self.one, self.other):
            client.ask("/axis-cgi/usergroup.cgi")

    def both(self, uri: str, other: str = "") -> list[str]:
        """What both clients are answered."""
        return at_once(lambda: self.one.ask(uri).text, lambda: self.other.ask(other or uri).text)

    def test_the_same_device(self) -> None:
        """Of two who create it one does, the other hears that it exists; the same for deleting."""
        for _ in range(ROUNDS):
            device_id = self.fresh_id()
            said = self.both(f"{DEVICES}create.cgi?schemaversion=2&id={device_id}")
            self.assertEqual(sum("GeneralSuccess" in text for text in said), 1)
            self.assertEqual(sum("<ErrorCode>150<" in text for text in said), 1)
            said = self.both(f"{DEVICES}delete.cgi?schemaversion=2&id={device_id}")
            self.assertEqual(sum("GeneralSuccess" in text for text in said), 1)
            self.assertEqual(sum("<ErrorCode>90<" in text for text in said), 1)

    def test_different_fields_of_one_device(self) -> None:
        """Both changes count: neither undoes the other."""
        device_id = self.fresh_id()
        self.one.ask(f"{DEVICES}create.cgi?schemaversion=2&id={device_id}")
        self.addCleanup(self.ask, f"{DEVICES}delete.cgi", schemaversion=2, id=device_id)
        update = f"{DEVICES}update.cgi?schemaversion=2&id={device_id}"
        for number in range(ROUNDS):
            said = self.both(f"{update}&description=d{number}", f"{update}&serialnumber=s{number}")
            self.assertTrue(all("GeneralSuccess" in text for text in said))
            listed = self.ask(f"{DEVICES}list.cgi", schemaversion=2).text
            self.assertIn(f"<Serialnumber>s{number}</Serialnumber>", listed)
            self.assertIn(f"<Description>d{number}</Description>", listed)

    def test_the_same_account(self) -> None:
        """One of two makes it, and its password is the one that opens."""
        query = "action=add&grp=users&sgrp=viewer"
        for number in range(ROUNDS):
            name = f"twin{number}"
            self.addCleanup(self.ask, ACCOUNT, action="remove", user=name)
            uris = [f"{ACCOUNT}?{query}&user={name}&pwd=p{each}" for each in range(2)]
            said = self.both(*uris)
            made = [index for index, text in enumerate(said) if "Created" in text]
            self.assertEqual(len(made), 1, said)
            client = Client(self.device.http, (name, f"p{made[0]}"))
            self.addCleanup(client.close)
            self.assertEqual(client.ask("/axis-cgi/usergroup.cgi").status, 200)

    def test_continuous_recordings(self) -> None:
        """Each gets a profile of its own, and of two who remove it one does."""
        options = quote(f"device={self.camera_device()}", safe="")
        for _ in range(3):
            uri = f"{CONTINUOUS}addconfiguration.cgi?diskid={self.device.disk}&options={options}"
            profiles = [re.findall(r'profile="(\d+)"', text)[0] for text in self.both(uri)]
            self.assertEqual(len(set(profiles)), 2)
            for profile in profiles:
                said = self.both(f"{CONTINUOUS}removeconfiguration.cgi?profile={profile}")
                self.assertEqual(sum('result="OK"' in text for text in said), 1, said)

    def test_two_administrators_who_remove_each_other(self) -> None:
        """One is left, however close they are."""
        program = started(RecorderProgram, "two-administrators")
        set_up(program.http)
        for number in range(ROUNDS):
            self.check_removing(program, f"127.0.1.{number + 1}")

    def check_removing(self, program: RecorderProgram, source: str) -> None:
        """Let each remove the other.

        :param source: where they are: who was removed fails to sign in, and is not listened to
            after some rounds.
        """
        clients = [Client(program.http, (n, "pass-root"), source) for n in ("root", "second")]
        for client in clients:
            self.addCleanup(client.close)
        make = f"{ACCOUNT}?action=add&pwd=pass-root&grp=users&sgrp=admin:operator:viewer&user="
        holder = next(c for c in clients if c.ask("/axis-cgi/usergroup.cgi").status == 200)
        for name in ("root", "second"):
            holder.ask(make + name)
        for client in clients:
            self.assertEqual(client.ask("/axis-cgi/usergroup.cgi").status, 200)
        remove = f"{ACCOUNT}?action=remove&user="
        said = at_once(
            lambda: clients[0].ask(f"{remove}second").text,
            lambda: clients[1].ask(f"{remove}root").text,
        )
        self.assertEqual(sum("Removed account" in text for text in said), 1, said)
        statuses = {client.ask("/axis-cgi/usergroup.cgi").status for client in clients}
        self.assertEqual(statuses, {200, 401})


class Writer:
    """Tells a recorder one thing after another until it does not answer any more.

    :ivar kept: devices that it said it made, and did not say it removed.
    :ivar gone: those that it said it removed.
    :ivar open: what it was asked last and did not answer.
    """

    def __init__(self, program: RecorderProgram, name: str) -> None:
        self.kept: set[str] = set()
        self.gone: set[str] = set()
        self.open = ""
        self.begun = Event()
        self._client = Client(program.http, ACCOUNTS["admin"])
        self._name = name
        self.thread = Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            for number in itertools.count():
                self._do("create", f"{self._name}-{number}", self.kept, self.gone)
                self.begun.set()
                if number % 3 == 2:
                    self._do("delete", f"{self._name}-{number - 1}", self.gone, self.kept)
        except (OSError, http.client.HTTPException):
            self._client.close()

    def _do(self, method: str, device_id: str, into: set[str], out_of: set[str]) -> None:
        self.open = device_id
        uri = f"{DEVICES}{method}.cgi?schemaversion=2&id={device_id}"
        answer = self._client.ask(uri)
        assert "GeneralSuccess" in answer.text, answer
        into.add(device_id)
        out_of.discard(device_id)
        self.open = ""


class KillTests(ConformanceTestCase):
    def test_what_was_answered_is_there(self) -> None:
        """Killed at any moment while two clients change devices, it knows all it said it knew."""
        self.ours()
        folder = Path(self.mktemp()).absolute()
        program = RecorderProgram(folder)
        set_up(program.http)
        kept: set[str] = set()
        for round_number in range(either(3, 20)):
            writers = [Writer(program, f"k{round_number}{letter}") for letter in "ab"]
            for writer in writers:
                writer.begun.wait(20)
            writers[0].thread.join(random.Random(round_number).uniform(0, 0.3))
            program.kill()
            for writer in writers:
                writer.thread.join(30)
                kept |= writer.kept
            program = RecorderProgram(folder)
            self.check(program, kept, writers)
        program.end()

    def check(self, program: RecorderProgram, kept: set[str], writers: list[Writer]) -> None:
        client = Client(program.http, ACCOUNTS["admin"])
        answer = client.ask(f"{DEVICES}list.cgi?schemaversion=2")
        self.assertEqual(answer.status, 200, "the account is known as well")
        client.close()
        found = {each.text or "" for each in answer.xml.iter("Id")}
        uncertain = {writer.open for writer in writers}
        gone = set[str]().union(*(writer.gone for writer in writers))
        self.assertLessEqual(kept - uncertain, found)
        self.assertFalse((gone - uncertain) & found)
        self.assertLessEqual(found - kept, uncertain, "and nothing that nobody asked for")
        kept |= uncertain & found
        kept -= uncertain - found
        self.assertGreater(len(kept), len(writers))
