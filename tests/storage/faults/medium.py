"""What a disk keeps when the power goes.

Theory of operation. A `Medium` is a tree of inodes below a root folder, each with what is durable
(`base`) and what was done to it since, in order (`changes`). A change is one of

- of a file: bytes written at a place, or the file cut to a size;
- of a folder: a name put in, dropped, or moved over another, which is one step and never half;
- of a database: a state that a COMMIT made, or perhaps made before it failed.

A sync makes all changes of *this* inode durable and of no other: the sync of a file does not keep
its name, the sync of a folder not the name of the folder. When the power goes, each change that is
not durable is kept or lost, whatever came before or behind it; of a write any of its sectors may be
kept, or only the length it gave the file, which is then zeros. After a sync that failed, what it
should have kept may be on the disk or not, and no later sync changes that.

What the file systems of Linux really do is less bad than this: ext4 keeps the order of the names,
and a file's name with its first fdatasync. What holds here holds there.

SQLite's own atomicity is trusted: in WAL mode with ``synchronous=FULL`` the state of the last
COMMIT that succeeded is what is found, if the folder was synced since the database file came into
being. A COMMIT that failed may be found done as well, until another succeeds. With
``synchronous=NORMAL`` a COMMIT is found or not, and none without those before it.

When only the process is killed, all that was done goes on being seen, and goes on being open: the
next run works on the `current` state of a `Medium`, which takes its operations behind the others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

#: A disk keeps a sector whole or not at all.
SECTOR_BYTES = 512
#: The root folder's inode.
ROOT = 0


class Write(NamedTuple):
    """Bytes written to a file."""

    offset: int
    data: bytes


class Zeros(NamedTuple):
    """A write of which only the length is there."""

    end: int


class Cut(NamedTuple):
    """A file cut off or lengthened."""

    size: int


class Put(NamedTuple):
    """A name put into a folder."""

    name: str
    inode: int


class Drop(NamedTuple):
    """A name taken out of a folder."""

    name: str


class Move(NamedTuple):
    """A name moved over another of the same folder."""

    old: str
    new: str
    inode: int


class Commit(NamedTuple):
    """A state of a database."""

    state: bytes


Change = Write | Zeros | Cut | Put | Drop | Move | Commit
#: What becomes of a change when the power goes: several changes, such as its sectors, or none.
Fate = tuple[Change, ...]


class Kind(Enum):
    """What an inode is."""

    FILE = "file"
    FOLDER = "folder"
    DATABASE = "database"


class Make(NamedTuple):
    """An inode comes into being; no name leads to it yet."""

    inode: int
    kind: Kind


class Do(NamedTuple):
    """An inode is changed."""

    inode: int
    change: Change


class Sync(NamedTuple):
    """What was done to an inode so far is durable; or will never be, if that failed."""

    inode: int
    works: bool


class Mark(NamedTuple):
    """Something that a test wants to find again at its place among the operations."""

    what: object


Operation = Make | Do | Sync | Mark


@dataclass(slots=True)
class _Entry:
    """A change, whether it is durable, and whether a later sync may still make it so."""

    change: Change
    is_durable: bool = False
    is_doomed: bool = False


@dataclass(slots=True)
class Inode:
    """A file, a folder or a database.

    :ivar data: of a file or database, what is durable.
    :ivar names: of a folder, what is durable.
    :ivar changes: what was done to it since.
    """

    kind: Kind
    data: bytes = b""
    names: dict[str, int] = field(default_factory=dict)
    changes: list[_Entry] = field(default_factory=list)

    def sync(self, *, works: bool) -> None:
        """Make all changes durable that can still be, or give them up."""
        for entry in self.changes:
            if works and not entry.is_doomed:
                entry.is_durable = True
            elif not entry.is_durable:
                entry.is_doomed = True
        if all(entry.is_durable for entry in self.changes):
            self.data, self.names = self.kept(lambda at, change: (change,))
            self.changes.clear()

    def kept(self, fate: Callable[[int, Change], Fate]) -> tuple[bytes, dict[str, int]]:
        """Give data and names as they are found after the power went.

        :param fate: decides for a change that is not durable.
        """
        if not self.changes:
            return self.data, self.names
        data, names = bytearray(self.data), dict(self.names)
        for at, entry in enumerate(self.changes):
            kept = (entry.change,) if entry.is_durable else fate(at, entry.change)
            for change in kept:
                _apply(change, data, names)
        return bytes(data), names


def _apply(change: Change, data: bytearray, names: dict[str, int]) -> None:
    match change:
        case Write(offset, written):
            data.extend(bytes(max(0, offset - len(data))))
            data[offset : offset + len(written)] = written
        case Zeros(end):
            data.extend(bytes(max(0, end - len(data))))
        case Cut(size):
            del data[size:]
            data.extend(bytes(size - len(data)))
        case Put(name, inode):
            names[name] = inode
        case Drop(name):
            names.pop(name, None)
        case Move(old, new, inode):
            names.pop(old, None)
            names[new] = inode
        case Commit(state):
            data[:] = state


class Open(NamedTuple):
    """A change whose fate is open: of which inode, at which place among its changes.

    :ivar is_doomed: a sync that was to keep it failed.
    """

    inode: int
    at: int
    change: Change
    is_doomed: bool = False


def _seen(item: Open) -> Fate:
    """Tell what of a change is seen by who reads; of a COMMIT that failed, nothing."""
    return () if isinstance(item.change, Commit) and item.is_doomed else (item.change,)


class Medium:
    """A disk; a new one has an empty root folder.

    :ivar inodes: by number.
    :ivar next_number: of the next inode; none ever had it.
    """

    def __init__(self) -> None:
        self.inodes = {ROOT: Inode(Kind.FOLDER)}
        self.next_number = ROOT + 1

    def apply(self, operation: Operation) -> None:
        """Do an operation."""
        match operation:
            case Make(number, kind):
                self.inodes[number] = Inode(kind)
                self.next_number = max(self.next_number, number + 1)
            case Do(number, change):
                self.inodes[number].changes.append(_Entry(change))
            case Sync(number, works):
                self.inodes[number].sync(works=works)

    def open_changes(self) -> list[Open]:
        """Give what may be lost, or kept, as far as a name may lead there."""
        return [
            Open(number, at, entry.change, entry.is_doomed)
            for number in sorted(self._within_reach())
            for at, entry in enumerate(self.inodes[number].changes)
            if not entry.is_durable
        ]

    def _within_reach(self) -> set[int]:
        found, todo = {ROOT}, [ROOT]
        while todo:
            inode = self.inodes[todo.pop()]
            below = set(inode.names.values())
            below |= {e.change.inode for e in inode.changes if isinstance(e.change, Put | Move)}
            todo.extend(below - found)
            found |= below
        return found

    def survivor(self, fate: Callable[[Open], Fate]) -> "Medium":
        """Give the disk as it is found after the power went."""
        medium = Medium()
        for number, inode in self.inodes.items():

            def decide(at: int, change: Change, number: int = number) -> Fate:
                return fate(Open(number, at, change, self.inodes[number].changes[at].is_doomed))

            data, names = inode.kept(decide)
            medium.inodes[number] = Inode(inode.kind, data, names)
        medium.next_number = self.next_number
        medium._forget_unnamed()
        return medium

    def _forget_unnamed(self) -> None:
        reached = self._within_reach()
        self.inodes = {number: node for number, node in self.inodes.items() if number in reached}

    def current(self) -> "Medium":
        """Give the disk as it is while the power stays, such as after the process was killed."""
        return self.survivor(_seen)

    def walk(self) -> Iterator[tuple[Path, Inode]]:
        """Give what is durable, by path, the folders themselves included."""
        todo = [(Path("/"), ROOT)]
        while todo:
            path, number = todo.pop()
            inode = self.inodes[number]
            yield path, inode
            todo.extend((path / name, below) for name, below in inode.names.items())

    def fingerprint(self) -> int:
        """Give a number that is the same for disks that hold the same."""
        return hash(frozenset((path, inode.kind, inode.data) for path, inode in self.walk()))
