"""Accounts, the state database, the vault, the lock-out, the audit log."""

import sqlite3

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError
from axis_nvr.services.accounts import (
    Account,
    AccountError,
    Accounts,
    BadAccountName,
    BadInitialAdmin,
    Role,
)
from axis_nvr.services.audit import MAX_ENTRIES, Audit, AuditEntry
from axis_nvr.services.lockout import MAX_REMEMBERED, Lockout
from axis_nvr.services.state_database import StateDatabase, StateError
from axis_nvr.services.state_schema import STEPS
from axis_nvr.services.vault import Vault
from axis_nvr.session.digest import Credentials, secret_hash
from tests.services.state import StateTestCase

REALM = "AXIS_ACCC8E012345"
ADMIN = Account("root", Role.ADMIN, has_ptz=True, group="root")


class StateDatabaseTests(StateTestCase):
    def test_a_change_is_whole_or_not_at_all(self) -> None:
        """What fails in the middle leaves nothing behind."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO settings VALUES ('a', '1')")
            connection.execute("INSERT INTO nowhere VALUES (1)")

        self.failureResultOf(self.database.change(work), StateError)
        self.assertEqual(self.database.rows("SELECT * FROM settings"), [])

    def test_private(self) -> None:
        """Nobody else may read it."""
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_an_older_version(self) -> None:
        """It goes the steps that it has not gone; its rows stay."""
        self.database.close()
        older = self.folder.path / "older.db"
        sqlite3.connect(older).close()
        database = StateDatabase(older, maybeDeferred)
        self.assertEqual(database.rows("PRAGMA user_version"), [(len(STEPS),)])
        database.close()
        self.database = self.open()

    def test_a_newer_version(self) -> None:
        """It is left alone."""
        self.database.close()
        connection = sqlite3.connect(self.path)
        connection.execute("PRAGMA user_version=999")
        connection.close()
        self.assertIn("newer", str(self.assertRaises(ConfigError, self.open)))
        connection = sqlite3.connect(self.path)
        connection.execute(f"PRAGMA user_version={len(STEPS)}")
        connection.close()
        self.database = self.open()

    def test_no_database(self) -> None:
        """A file that is none is a configuration error, in words, and stays as it is."""
        self.database.close()
        other = self.folder.path / "other.db"
        other.write_bytes(b"not a database at all" * 100)
        error = self.assertRaises(ConfigError, StateDatabase, other, maybeDeferred)
        self.assertIn("other.db", str(error))
        self.assertTrue(other.read_bytes().startswith(b"not a database"))
        self.database = self.open()


class VaultTests(StateTestCase):
    def test_there_and_back(self) -> None:
        """What is stored does not show the secret, and another vault of the folder reads it."""
        sealed = Vault(self.folder).encrypt("pässword")
        self.assertNotIn("ssword", sealed)
        self.assertEqual(Vault(self.folder).decrypt(sealed), "pässword")
        key = self.folder.path / "secret.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)

    def test_another_key(self) -> None:
        """A key that is lost is told as that."""
        sealed = Vault(self.folder).encrypt("x")
        (self.folder.path / "secret.key").unlink()
        self.assertRaises(ConfigError, Vault(self.folder).decrypt, sealed)
        (self.folder.path / "secret.key").write_bytes(b"short")
        self.assertRaises(ConfigError, Vault, self.folder)


class AccountsTests(StateTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.accounts = self.load()

    def load(self, realm: str = REALM) -> Accounts:
        return Accounts(self.database, Vault(self.folder), realm)

    def test_the_first_administrator(self) -> None:
        """Only an administrator may be first, and only one of two that come together."""
        self.assertTrue(self.accounts.needs_setup)
        viewer = Account("joe", Role.VIEWER)
        self.refused(self.accounts.add_first(viewer, "x"), BadInitialAdmin)
        both = [
            Deferred.fromCoroutine(self.accounts.add_first(account, "secret"))
            for account in (ADMIN, Account("other", Role.ADMIN, group="root"))
        ]
        self.assertIsNone(self.successResultOf(both[0]))
        self.failureResultOf(both[1], BadInitialAdmin)
        self.assertEqual(list(self.accounts.all), ["root"])

    def test_after_a_restart(self) -> None:
        """Accounts are there again with roles, comments and secrets; no password is on the disk."""
        self.run_now(self.accounts.add_first(ADMIN, "geheim-1"))
        self.run_now(self.accounts.add(Account("joe", Role.OPERATOR, comment="é"), "geheim-2"))
        self.reopen()
        again = self.load()
        self.assertEqual(dict(again.all), dict(self.accounts.all))
        secret = secret_hash(Credentials("joe", "geheim-2"), REALM)
        self.assertEqual(again.secret_of("joe"), secret)
        files = b"".join(p.read_bytes() for p in self.folder.path.iterdir())
        self.assertNotIn(b"geheim", files)
        self.assertNotIn(secret.encode(), files)

    def test_changed_and_removed(self) -> None:
        """A role can change without the password; what is removed is gone after a restart too."""
        self.run_now(self.accounts.add_first(ADMIN, "x"))
        self.run_now(self.accounts.add(Account("joe", Role.VIEWER), "y"))
        secret = self.accounts.secret_of("joe")

        def promote(account: Account) -> Account:
            return Account(account.name, Role.ADMIN, secret=account.secret)

        self.run_now(self.accounts.update("joe", promote))
        self.assertEqual(self.accounts.all["joe"].role, Role.ADMIN)
        self.assertEqual(self.accounts.secret_of("joe"), secret)
        self.run_now(self.accounts.update("joe", lambda account: account, "z"))
        self.assertNotEqual(self.accounts.secret_of("joe"), secret)
        self.run_now(self.accounts.remove("joe"))
        self.reopen()
        self.assertEqual(list(self.load().all), ["root"])

    def test_an_administrator_stays(self) -> None:
        """The last one can be neither removed nor demoted."""
        self.run_now(self.accounts.add_first(ADMIN, "x"))
        self.refused(self.accounts.remove("root"), AccountError)
        self.refused(
            self.accounts.update("root", lambda a: Account("root", Role.VIEWER)), AccountError
        )

    def test_what_cannot_be(self) -> None:
        """Names, passwords and comments have bounds; a name is taken once."""
        self.run_now(self.accounts.add_first(ADMIN, "x"))
        for name in ("", "a b", "äöü", "x" * 15, "../x", "a\n"):
            self.refused(self.accounts.add(Account(name, Role.VIEWER), "x"), BadAccountName)
        for password in ("", "x" * 513):
            self.refused(self.accounts.add(Account("joe", Role.VIEWER), password), AccountError)
        self.refused(self.accounts.add(ADMIN, "x"), AccountError)
        self.refused(self.accounts.remove("joe"), AccountError)

    def test_a_disk_that_fails(self) -> None:
        """An account that could not be kept is not there, now or later."""
        self.run_now(self.accounts.add_first(ADMIN, "x"))
        self.database.change(lambda c: c.execute("DROP TABLE accounts"))
        self.refused(self.accounts.add(Account("joe", Role.VIEWER), "x"), StateError)
        self.assertEqual(list(self.accounts.all), ["root"])

    def test_another_serial_number(self) -> None:
        """Accounts of another realm do not open the door, and the log says so."""
        self.run_now(self.accounts.add_first(ADMIN, "x"))
        self.assertTrue(self.load("AXIS_000000000000").needs_setup)


class LockoutTests(SynchronousTestCase):
    def test_an_account_guessed_from_many_addresses(self) -> None:
        """It is closed to strangers, and open where its password was right before."""
        lockout = Lockout()
        lockout.succeeded("vms", "root")
        for n in range(100):
            lockout.failed(f"host-{n}", "root", n * 0.1)
        self.assertTrue(lockout.is_closed("stranger", "root", 10.0))
        self.assertFalse(lockout.is_closed("vms", "root", 10.0))
        self.assertFalse(lockout.is_closed("stranger", "joe", 10.0))
        self.assertFalse(lockout.is_closed("stranger", "root", 71.0))

    def test_slow_failures(self) -> None:
        """A person who mistypes now and then is never locked out."""
        lockout = Lockout()
        for n in range(1000):
            lockout.failed("home", "joe", n * 10.0)
            self.assertFalse(lockout.is_closed("home", "joe", n * 10.0))

    def test_bounded(self) -> None:
        """Any number of addresses and names takes no more memory than some."""
        lockout = Lockout()
        for n in range(MAX_REMEMBERED + 500):
            lockout.failed(f"host-{n}", f"user-{n}", n)
            lockout.succeeded(f"host-{n}", f"user-{n}")
        self.assertEqual(len(lockout._addresses), MAX_REMEMBERED)
        self.assertEqual(len(lockout._trusted), MAX_REMEMBERED)


class AuditTests(StateTestCase):
    def test_newest_first_and_bounded(self) -> None:
        """Entries come back newest first, cut to a bound; old ones go."""
        audit = Audit(self.database, lambda: 1.5)
        noted: list[AuditEntry] = []
        audit.noted = noted.append
        audit.note("ann", "10.0.0.1", "export", "recording X")
        audit.note("", "10.0.0.2", "log in", "x" * 5000, "wrong credentials")
        newest, first = self.successResultOf(audit.newest(10))
        self.assertEqual((first.account, first.time_us, first.outcome), ("ann", 1_500_000, "ok"))
        self.assertEqual(noted, [first, newest])
        self.assertEqual(len(newest.target), 500)
        self.database.change(
            lambda c: c.execute("UPDATE audit SET id = ? WHERE id = 2", (MAX_ENTRIES + 1,))
        )
        audit.note("ann", "", "view", "y")
        self.assertEqual(len(self.successResultOf(audit.newest(10))), 2)
