"""``pwdgrp.cgi`` and ``usergroup.cgi``, as clients of Axis devices use them."""

import re

from axis_nvr.services.accounts import Role
from axis_nvr.vapix.platform.user_accounts import Malformed, UserAccounts, parse_groups
from tests.vapix.serving import ServingTestCase

PWDGRP = "/axis-cgi/pwdgrp.cgi"
FIRST = f"{PWDGRP}?action=add&user=root&pwd=pass&grp=root&sgrp=admin:operator:viewer:ptz"


class AccountsTestCase(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.serve(*UserAccounts(self.house.accounts, self.house.audit).endpoints())

    def sentence(self, path: str, user: str = "", *, status: int = 200) -> str:
        answered = self.ask(path, user)
        self.assertEqual(answered.status, status, answered.text)
        match = re.search("<body>(.*)</body>", answered.text)
        assert match, answered.text
        return match[1]


class FirstAdministratorTests(AccountsTestCase):
    def test_made_once(self) -> None:
        """Without credentials, once; then the door is closed."""
        self.assertEqual(self.sentence(FIRST), "Created account root.")
        again = FIRST.replace("user=root", "user=evil")
        self.assertEqual(self.send(again).status, 401)
        self.assertEqual(list(self.house.accounts.all), ["root"])
        (entry,) = self.successResultOf(self.house.audit.newest(9))
        self.assertEqual((entry.action, entry.target), ("create", "account root"))

    def test_what_is_none(self) -> None:
        """Another role, another group, no password, no valid name: 401 in the words of Axis."""
        for change in (
            ("admin:operator:viewer:ptz", "viewer"),
            ("grp=root", "grp=users"),
            ("pwd=pass", ""),
            ("user=root", "user=ro%20ot"),
            ("sgrp=", "sgrp=x"),
        ):
            answered = self.send(FIRST.replace(*change))
            self.assertEqual((answered.status, answered.header("Axis-Setup")), (401, "vapix"))
            self.assertIn("Error: not a valid initial admin user.", answered.text)
        self.assertTrue(self.house.accounts.needs_setup)

    def test_anything_else_before(self) -> None:
        """Every other action says what is to be done first."""
        for action in ("get", "remove&user=root", "nonsense", ""):
            answered = self.send(f"{PWDGRP}?action={action}")
            self.assertEqual(answered.status, 401)
            self.assertIn("Error: initial admin user must be created first.", answered.text)

    def test_as_a_form(self) -> None:
        """A urlencoded body does as well as a query."""
        path, _, query = FIRST.partition("?")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answered = self.send(path, method="POST", headers=headers, data=query.encode())
        self.assertIn("Created account root.", answered.text)


class AccountTests(AccountsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()

    def test_only_an_administrator(self) -> None:
        """Others get 403, strangers 401, whatever they ask for."""
        for query in ("action=get", "action=add&user=x&pwd=y&sgrp=viewer", "action=nonsense"):
            self.assertEqual(self.ask(f"{PWDGRP}?{query}", "otto").status, 403)
            self.assertEqual(self.send(f"{PWDGRP}?{query}").status, 401)

    def test_add_update_remove(self) -> None:
        """The sentences are those of Axis devices, and what they say is so."""
        add = f"{PWDGRP}?action=add&user=joe&pwd=secret&grp=users&sgrp=viewer:ptz&comment=a%20b"
        self.assertEqual(self.sentence(add, "ann"), "Created account joe.")
        self.assertEqual(self.sentence(add, "ann"), "Error: consult the system log file.")
        update = f"{PWDGRP}?action=update&user=joe&sgrp=admin:operator:viewer"
        self.assertEqual(self.sentence(update, "ann"), "Modified account joe.")
        joe = self.house.accounts.all["joe"]
        self.assertEqual((joe.role, joe.has_ptz, joe.comment), (Role.ADMIN, False, "a b"))
        self.assertEqual(self.ask("/axis-cgi/usergroup.cgi", "joe", password="secret").status, 200)
        remove = f"{PWDGRP}?action=remove&user=joe"
        self.assertEqual(self.sentence(remove, "ann"), "Removed account joe.")
        self.assertEqual(self.sentence(remove, "ann"), "Error: consult the system log file.")
        actions = [e.action for e in self.successResultOf(self.house.audit.newest(99))]
        self.assertEqual(actions, ["delete", "delete", "change", "create", "create"])

    def test_wrong_requests(self) -> None:
        """Each has its sentence, and changes nothing."""
        before = dict(self.house.accounts.all)
        for query, words in (
            ("x=1", "Error: action operation type."),
            ("action=ADD&user=x", "Error: action operation type."),
            ("action=add&pwd=x&sgrp=viewer", "Error: account user name."),
            ("action=add&user=a/b&pwd=x&sgrp=viewer", "Error: account user name."),
            ("action=add&user=aaaaaaaaaaaaaaa&pwd=x&sgrp=viewer", "Error: account user name."),
            ("action=add&user=joe&sgrp=viewer", "Error: malformed action operation, add."),
            ("action=add&user=joe&pwd=x", "Error: malformed action operation, add."),
            ("action=add&user=joe&pwd=x&sgrp=king", "Error: malformed action operation, add."),
            ("action=add&user=joe&pwd=%C3%A9&sgrp=viewer&strict_pwd=1", "Error: malformed"),
            ("action=add&user=joe&pwd=&sgrp=viewer", "Error: consult the system log file."),
            ("action=remove&user=nobody", "Error: consult the system log file."),
            ("action=remove&user=ann", "Error: consult the system log file."),
        ):
            self.assertIn(words, self.sentence(f"{PWDGRP}?{query}", "ann"), query)
        self.assertEqual(dict(self.house.accounts.all), before)

    def test_get(self) -> None:
        """Groups as lines, membership cumulative."""
        answered = self.ask(f"{PWDGRP}?action=get", "ann")
        self.assertEqual(answered.header("Content-Type").partition(";")[0], "text/plain")
        self.assertEqual(
            answered.text.split("\r\n"),
            [
                'admin="ann"',
                'operator="ann,otto"',
                'viewer="ann,otto,vera"',
                'ptz=""',
                'digusers="ann,otto,vera"',
                "",
            ],
        )

    def test_usergroup(self) -> None:
        """Two lines: who one is; the primary group and the rights."""
        for user, line in (
            ("ann", "root admin operator viewer"),
            ("otto", "users operator viewer"),
            ("vera", "users viewer"),
        ):
            answered = self.ask("/axis-cgi/usergroup.cgi", user)
            self.assertEqual(answered.text.splitlines(), [user, line])

    def test_groups(self) -> None:
        """Any order, any case, a lone role; what is none is refused."""
        self.assertEqual(parse_groups("viewer:operator:ptz:admin"), (Role.ADMIN, True))
        self.assertEqual(parse_groups("operator"), (Role.OPERATOR, False))
        for text in ("", "ptz", "root", "viewer::", "viewer;admin"):
            self.assertRaises(Malformed, parse_groups, text)
