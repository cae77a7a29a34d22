"""``pwdgrp.cgi`` and ``usergroup.cgi``, user management 1.1."""

import itertools
import re
from typing import Any
from urllib.parse import quote, urlencode

from tests.conformance.client import Answer, Client
from tests.conformance.harness import ConformanceTestCase

PATH = "/axis-cgi/pwdgrp.cgi"
GROUPS = ("admin", "operator", "viewer", "ptz", "digusers")
BAD_NAME = "Error: account user name."
FAILED = "Error: consult the system log file."

_numbers = itertools.count(1)


class PwdgrpTests(ConformanceTestCase):
    def say(self, role: str = "admin", **arguments: Any) -> str:
        """The sentence of an answer."""
        return self.sentence(self.ask(PATH, role, **arguments))

    def sentence(self, answer: Answer) -> str:
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("Content-Type").partition(";")[0], "text/html")
        found = re.search(r"<body[^>]*>(.*?)</body>", answer.text, re.DOTALL)
        assert found is not None, answer.text
        return re.sub(r"<[^>]*>", "", found[1]).strip()

    def name(self) -> str:
        """A name that no account has, for an account that is removed after the test."""
        name = f"conf{next(_numbers)}"
        self.addCleanup(self.ask, PATH, action="remove", user=name)
        return name

    def groups(self) -> dict[str, list[str]]:
        """Members of each group, as ``get`` lists them."""
        answer = self.ask(PATH, action="get")
        self.assertEqual(answer.header("Content-Type").partition(";")[0], "text/plain")
        found = re.findall(r'^([a-z]+)="([^"]*)"\r?$', answer.text, re.MULTILINE)
        return {name: users.split(",") if users else [] for name, users in found}

    def groups_of(self, name: str) -> list[str]:
        return [group for group in GROUPS if name in self.groups()[group]]

    def test_roles(self) -> None:
        """Every action is an administrator's."""
        for action in ("get", "add", "update", "remove"):
            for role, status in (("operator", 403), ("viewer", 403), ("", 401)):
                answer = self.ask(PATH, role, action=action, user="x", pwd="x", sgrp="viewer")
                self.assertEqual(answer.status, status, f"{action} as {role}")

    def test_get(self) -> None:
        """One line for each group, KEY="list"; who is in a group is in those below it too."""
        groups = self.groups()
        self.assertEqual(list(groups)[:5], list(GROUPS))
        name = self.account_of("admin")[0]
        for group in ("admin", "operator", "viewer", "digusers"):
            self.assertIn(name, groups[group])
        self.assertLessEqual(set(groups["operator"]), set(groups["viewer"]))

    def test_add(self) -> None:
        """Each combination of groups is taken; the account can sign in at once."""
        for sgrp, expected in (
            ("viewer", ["viewer", "digusers"]),
            ("viewer:ptz", ["viewer", "ptz", "digusers"]),
            ("operator:viewer", ["operator", "viewer", "digusers"]),
            ("ptz:viewer:operator", ["operator", "viewer", "ptz", "digusers"]),
            ("admin:operator:viewer", ["admin", "operator", "viewer", "digusers"]),
            ("admin:operator:viewer:ptz", list(GROUPS)),
        ):
            name = self.name()
            said = self.say(action="add", user=name, pwd="p w&ü", grp="users", sgrp=sgrp)
            self.assertEqual(said, f"Created account {name}.")
            self.assertEqual(self.groups_of(name), expected)
        client = Client(self.device.http, (name, "p w&ü"))
        self.addCleanup(client.close)
        self.assertEqual(client.ask("/axis-cgi/usergroup.cgi").status, 200)

    def test_add_by_post(self) -> None:
        """Arguments may be in a form, and in the query of a POST."""
        arguments = {"action": "add", "pwd": "x", "grp": "users", "sgrp": "viewer"}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        name = self.name()
        body = urlencode({**arguments, "user": name}).encode()
        answer = self.ask(PATH, method="POST", body=body, headers=form)
        self.assertEqual(self.sentence(answer), f"Created account {name}.")
        name = self.name()
        answer = self.ask(f"{PATH}?{urlencode({**arguments, 'user': name})}", method="POST")
        self.ours()
        self.assertEqual(self.sentence(answer), f"Created account {name}.")

    def test_add_what_is_there(self) -> None:
        """A second account of a name is not made, and the first one keeps its password."""
        name, password = self.account_of("viewer")
        said = self.say(action="add", user=name, pwd="other", grp="users", sgrp="viewer")
        self.assertEqual(said, FAILED)
        client = Client(self.device.http, (name, password))
        self.addCleanup(client.close)
        self.assertEqual(client.ask("/axis-cgi/usergroup.cgi").status, 200)

    def test_names(self) -> None:
        """A name has 1 to 14 letters and digits."""
        for name in ("", "a" * 15, "a b", "a-b", "ä", "../a", "a\n", "a,b", 'a"b'):
            for action in ("add", "update", "remove"):
                said = self.say(action=action, user=name, pwd="x", grp="users", sgrp="viewer")
                self.assertEqual(said, BAD_NAME, f"{action} {name!r}")
        self.assertEqual(self.say(action="add", pwd="x", sgrp="viewer"), BAD_NAME)
        name = "N4567890123456"
        self.addCleanup(self.ask, PATH, action="remove", user=name)
        said = self.say(action="add", user=name, pwd="x", grp="users", sgrp="viewer")
        self.assertEqual(said, f"Created account {name}.")

    def test_missing_arguments(self) -> None:
        """Without password or groups, or with groups that are none, the operation is malformed."""
        name = self.name()
        malformed = "Error: malformed action operation, add."
        whole = {"action": "add", "user": name, "pwd": "x", "grp": "users", "sgrp": "viewer"}
        for absent in ("pwd", "sgrp"):
            some = {key: value for key, value in whole.items() if key != absent}
            self.assertEqual(self.say("admin", **some), malformed, absent)
        self.ours()
        for sgrp in ("", "ptz", "emperor", "viewer,ptz"):
            self.assertEqual(self.say("admin", **(whole | {"sgrp": sgrp})), malformed, sgrp)
        self.assertEqual(self.groups_of(name), [])

    def test_passwords(self) -> None:
        """A password has a character at least; strict ones are of ASCII and at most 64 long."""
        name = self.name()
        add = {"action": "add", "user": name, "grp": "users", "sgrp": "viewer"}
        self.assertTrue(self.say("admin", **add, pwd="").startswith("Error:"))
        for password in ("ü", "x" * 65, "a\tb"):
            said = self.say("admin", **add, pwd=password, strict_pwd="1")
            self.assertTrue(said.startswith("Error:"), password)
        self.assertEqual(self.groups_of(name), [])
        said = self.say("admin", **add, pwd="x" * 64, strict_pwd="1")
        self.assertEqual(said, f"Created account {name}.")

    def test_update(self) -> None:
        """What is sent changes, what is not stays."""
        name = self.name()
        self.say(action="add", user=name, pwd="one", grp="users", sgrp="viewer", comment="c")
        modified = f"Modified account {name}."
        self.assertEqual(self.say(action="update", user=name, sgrp="operator:viewer"), modified)
        self.assertIn("operator", self.groups_of(name))
        client = Client(self.device.http, (name, "one"))
        self.addCleanup(client.close)
        self.assertEqual(client.ask("/axis-cgi/usergroup.cgi").status, 200)
        self.assertEqual(self.say(action="update", user=name, pwd="two"), modified)
        self.assertEqual(client.ask("/axis-cgi/usergroup.cgi").status, 401)
        self.assertIn("operator", self.groups_of(name))
        self.assertEqual(self.say(action="update", user=name, comment="d"), modified)

    def test_remove(self) -> None:
        """An account that was removed opens nothing any more."""
        name = self.name()
        self.say(action="add", user=name, pwd="one", grp="users", sgrp="viewer")
        client = Client(self.device.http, (name, "one"))
        self.addCleanup(client.close)
        self.assertEqual(client.ask("/axis-cgi/usergroup.cgi").status, 200)
        self.assertEqual(self.say(action="remove", user=name), f"Removed account {name}.")
        self.assertEqual(client.ask("/axis-cgi/usergroup.cgi").status, 401)
        self.assertEqual(self.groups_of(name), [])

    def test_what_is_not_there(self) -> None:
        """An account that is not there can be neither changed nor removed."""
        for action in ("update", "remove"):
            said = self.say(action=action, user="absent", pwd="x", sgrp="viewer")
            self.assertEqual(said, FAILED, action)

    def test_the_last_administrator(self) -> None:
        """The last one can be neither removed nor demoted."""
        self.ours()
        name = self.account_of("admin")[0]
        self.assertEqual(self.say(action="remove", user=name), FAILED)
        self.assertEqual(self.say(action="update", user=name, sgrp="viewer"), FAILED)
        self.assertIn(name, self.groups()["admin"])

    def test_unknown_actions(self) -> None:
        """An action that is none, or no action at all."""
        for query in ("action=dance", "action=", "", "action=ADD", f"action={quote('add ')}"):
            answer = self.ask(f"{PATH}?{query}&user=x&pwd=x&sgrp=viewer")
            self.assertEqual(self.sentence(answer), "Error: action operation type.", query)


class UsergroupTests(ConformanceTestCase):
    def test_two_lines(self) -> None:
        """The name; then the primary group and the rights, most first."""
        for role, rights in (
            ("operator", "users operator viewer"),
            ("viewer", "users viewer"),
        ):
            answer = self.ask("/axis-cgi/usergroup.cgi", role)
            self.assertEqual(answer.header("Content-Type").partition(";")[0], "text/plain")
            name, groups = answer.text.splitlines()
            self.assertEqual(name, self.account_of(role)[0])
            self.assertEqual(groups.replace(" ptz", ""), rights)
        self.ours()
        lines = self.ask("/axis-cgi/usergroup.cgi").text.splitlines()
        self.assertEqual(lines, ["root", "root admin operator ptz viewer"])
