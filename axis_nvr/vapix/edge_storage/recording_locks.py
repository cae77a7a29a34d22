"""``lock.cgi``: recordings, or spans of them, that nothing may remove. An addition of ours.

::

    GET /axis-cgi/record/lock.cgi?action=lock&recordingid=<id>&reason=…[&starttime=…][&stoptime=…]
    GET /axis-cgi/record/lock.cgi?action=unlock&token=<token>  or  &recordingid=<id>
    GET /axis-cgi/record/lock.cgi?action=list[&recordingid=<id>]

    <root …>
      <locks>
        <lock token diskid recordingid starttime stoptime owner reason created/>*
      </locks>
    </root>

``lock`` and ``unlock`` answer with one element ``lock`` in the root for each lock, the same with
``result`` behind it, or with ``result="ERROR"`` and ``errormsg``. Times are rounded out to groups
of pictures; an empty one means the recording's own.
"""

from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError, StorageError, WireError
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.recording_locks import NoLock, RecordingLocks
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.locks_xml import MAX_OWNER_LENGTH, Lock
from axis_nvr.vapix.arguments import Arguments
from axis_nvr.vapix.call import Call, Endpoint, NeedsRole, Reply
from axis_nvr.vapix.edge_storage.times import parse_time
from axis_nvr.vapix.xml_cgi import element, old_style

SCHEMA = "recording/lock1.xsd"
_PATH = "/axis-cgi/record/lock.cgi"


class RecordingLockCgi:
    """Serves it."""

    def __init__(self, locks: RecordingLocks, audit: Audit) -> None:
        self._locks = locks
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves it."""
        return (Endpoint(_PATH, self.answer, Role.VIEWER),)

    async def answer(self, call: Call) -> Reply:
        """Lock, unlock or list; who only views may list."""
        actions = {"lock": self._lock, "unlock": self._unlock, "list": self._list}
        action = actions.get(call.arguments.get("action") or "list")
        if action != self._list and (call.role is None or call.role < Role.OPERATOR):
            raise NeedsRole(Role.OPERATOR)
        try:
            if action is None:
                raise WireError("action: lock, unlock or list was expected")
            return old_style(SCHEMA, *await action(call))
        except NvrError as error:
            words = error.message if isinstance(error, StorageError | WireError) else str(error)
            return old_style(SCHEMA, element("lock", result="ERROR", errormsg=words))

    async def _lock(self, call: Call) -> list[ET.Element]:
        arguments = call.arguments
        recording_id = _recording_id(arguments)
        lock = await self._locks.lock(
            recording_id,
            _time(arguments, "starttime"),
            _time(arguments, "stoptime"),
            reason=arguments.get("reason", ""),
            owner=call.account[:MAX_OWNER_LENGTH],
        )
        self._note(call, "lock", lock)
        return [_told(lock, result="OK")]

    async def _unlock(self, call: Call) -> list[ET.Element]:
        token = call.arguments.get("token", "").strip()
        tokens = [token] if token else await self._tokens_of(_recording_id(call.arguments))
        told = []
        for one in tokens:
            lock = await self._locks.unlock(one)
            self._note(call, "unlock", lock)
            told.append(_told(lock, result="OK"))
        return told

    async def _tokens_of(self, recording_id: str) -> list[str]:
        tokens = [lock.token for _, lock in await self._locks.all(recording_id)]
        if not tokens:
            raise NoLock(f"there is no lock on a recording {recording_id!r:.60}")
        return tokens

    async def _list(self, call: Call) -> list[ET.Element]:
        recording_id = call.arguments.get("recordingid", "").strip()
        found = await self._locks.all(None if recording_id in ("", "all") else recording_id)
        return [element("locks", [_told(lock, diskid=shelf.disk) for shelf, lock in found])]

    def _note(self, call: Call, action: str, lock: Lock) -> None:
        target = f"recording {lock.recording_id}, lock {lock.token}"
        self._audit.note(call.account, call.address, action, target, f"ok: {lock.reason}")


def _recording_id(arguments: Arguments) -> str:
    recording_id = arguments.get("recordingid", "").strip().strip('"')
    if not recording_id:
        raise WireError("recordingid is required")
    return recording_id


def _time(arguments: Arguments, name: str) -> int | None:
    text = arguments.get(name)
    return parse_time(text) if text else None


def _told(lock: Lock, *, diskid: str | None = None, result: str | None = None) -> ET.Element:
    return element(
        "lock",
        token=lock.token,
        **({} if diskid is None else {"diskid": diskid}),
        recordingid=lock.recording_id,
        starttime="" if lock.start_us is None else utc_text(lock.start_us),
        stoptime="" if lock.end_us is None else utc_text(lock.end_us),
        owner=lock.owner,
        reason=lock.reason,
        created=utc_text(lock.created_us),
        **({} if result is None else {"result": result}),
    )
