"""Those who use a disk beside recording on it, and when they hear that they may."""

from pathlib import Path
from typing import Protocol

from twisted.internet.defer import Deferred, DeferredList


class IDiskUser(Protocol):
    """Uses a disk beside recording on it."""

    def disk_opened(self, disk_id: str, folder: Path) -> None:
        """The disk is in use."""

    def disk_locked(self, disk_id: str, folder: Path) -> None:
        """The disk is not in use, and may be read all the same, until it is opened or closing."""

    def disk_closing(self, disk_id: str, *, comes_back: bool) -> "Deferred[None]":
        """The disk is being let go of; fires when nothing of it is open any more.

        :param comes_back: it broke or is locked, and is opened again as soon as it can be.
        """


class DiskUsers:
    """Tells the users of one disk how it is."""

    def __init__(self, disk_id: str, folder: Path) -> None:
        self._disk_id = disk_id
        self._folder = folder
        self._users: list[IDiskUser] = []
        self._may_read = False

    def append(self, user: IDiskUser) -> None:
        """Tell another one from now on."""
        self._users.append(user)

    def opened(self) -> None:
        """Tell that the disk is in use."""
        for user in self._users:
            user.disk_opened(self._disk_id, self._folder)

    def locked(self) -> None:
        """Let them read a disk that is locked, unless they may already."""
        if not self._may_read:
            self._may_read = True
            for user in self._users:
                user.disk_locked(self._disk_id, self._folder)

    def closing(self, *, comes_back: bool) -> list["Deferred[None]"]:
        """Tell that the disk is being let go of; each fires when one of them has let go."""
        return [user.disk_closing(self._disk_id, comes_back=comes_back) for user in self._users]

    def unlocked(self, gone: "Deferred[None]", *, comes_back: bool) -> "Deferred[None]":
        """Have nobody read a disk that was locked.

        :param gone: fires when the disk is closed for all else.
        :returns: fires when nobody reads it any more, and it is closed.
        """
        if not self._may_read:
            return gone
        self._may_read = False
        closing = DeferredList([gone, *self.closing(comes_back=comes_back)], consumeErrors=True)
        return closing.addCallback(lambda _: None)
