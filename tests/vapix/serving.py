"""An HTTP server behind its door, and clients for it."""

from pathlib import Path
from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.accounts import Account, Accounts, Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.gatekeeper import Gatekeeper
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.services.vault import Vault
from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.vapix.call import Endpoint
from axis_nvr.vapix.door import Door
from axis_nvr.vapix.server import HttpServer

REALM = "AXIS_ACCC8E012345"
#: Accounts, each with the password ``pass-<name>``.
ROLES = {"ann": Role.ADMIN, "otto": Role.OPERATOR, "vera": Role.VIEWER}


class House:
    """Accounts, audit log and state database in a folder; all at once, without threads."""

    def __init__(self, folder: str) -> None:
        self.now = 1000.0
        self.utc = 1_700_000_000.0
        self.state = StateFolder(Path(folder))
        self.state.open()
        self.database = StateDatabase(self.state.path / "state.db", maybeDeferred)
        self.accounts = Accounts(self.database, Vault(self.state), REALM)
        self.audit = Audit(self.database, lambda: self.utc)
        self.gatekeeper = Gatekeeper(self.accounts, self.audit, lambda: self.now)
        self.door = Door(self.gatekeeper)

    def set_up(self) -> None:
        """Make an account of each role."""
        for name, role in ROLES.items():
            group = "root" if role is Role.ADMIN else "users"
            account = Account(name, role, group=group)
            add = self.accounts.add_first if role is Role.ADMIN else self.accounts.add
            Deferred.fromCoroutine(add(account, f"pass-{name}"))


class Answered:
    """A whole answer."""

    def __init__(self, status: int, headers: dict[str, list[str]], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str:
        return ", ".join(self.headers.get(name.lower(), []))


class ServingTestCase(SynchronousTestCase):
    """A server with some endpoints; nothing is on a network."""

    def setUp(self) -> None:
        self.house = House(self.mktemp())
        self.addCleanup(self.house.database.close)

    def serve(self, *endpoints: Endpoint) -> None:
        """Begin to serve."""
        server = HttpServer(self.house.door, endpoints)
        self.client: Any = StubTreq(server.site().resource)

    def ask(
        self,
        path: str,
        user: str = "",
        *,
        method: str = "GET",
        scheme: str = "http",
        password: str | None = None,
        **more: Any,
    ) -> Answered:
        """Send a request; with a user it is sent again with an answer to the challenge."""
        answered = self.send(path, method=method, scheme=scheme, **more)
        if not user or answered.status != 401:
            return answered
        secret = f"pass-{user}" if password is None else password
        authenticator = Authenticator(Credentials(user, secret))
        authenticator.challenge(answered.headers["www-authenticate"])
        header = authenticator.authorization(method, path)
        return self.send(
            path, method=method, scheme=scheme, headers={"Authorization": header}, **more
        )

    def send(
        self, path: str, *, method: str = "GET", scheme: str = "http", **more: Any
    ) -> Answered:
        """Send a request as it is."""
        response = self.successResultOf(
            self.client.request(method, f"{scheme}://nvr{path}", **more)
        )
        body = self.successResultOf(self.client.content(response))
        headers: dict[str, list[str]] = {}
        for name, values in response.headers.getAllRawHeaders():
            headers[name.decode().lower()] = [value.decode() for value in values]
        return Answered(response.code, headers, body)
