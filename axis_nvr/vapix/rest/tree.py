"""What a device configuration API is made of; an API is a table of these.

::

    Entity({
        "timeZone": Entity({"activeTimeZone": Property(lambda: zone.name, "string")}),
        "groups": Collection(groups.ids, group_entity, add=groups.add, remove=groups.remove),
        "reset": Action(reset, Role.ADMIN),
    }, change=time.change)

A property says who may read and who may set it; what is set goes to the `Entity.change` of the
entity that it stands in, all of one request at once, when all of it has been checked. A whole is
read without the parts that the asker may not see.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.vapix.call import Call, NeedsRole

#: What each datatype is in JSON, and the schema that OpenAPI has for it.
DATATYPES: Mapping[str, tuple[type, dict[str, Any]]] = {
    "boolean": (bool, {"type": "boolean"}),
    "integer": (int, {"type": "integer"}),
    "string": (str, {"type": "string"}),
    "strings": (list, {"type": "array", "items": {"type": "string"}}),
    "object": (dict, {"type": "object"}),
}
#: The code of a body that is not what it should be; Axis devices have it too.
BAD_BODY = 12


class RestError(NvrError):
    """A request that cannot be done.

    :param code: of the error; by default the HTTP status.
    """

    def __init__(self, status: int, message: str, code: int = 0) -> None:
        super().__init__(status, message)
        self.status = status
        self.code = code or status
        self.message = message


@dataclass(frozen=True, slots=True)
class Property:
    """A value.

    :param read: gives it.
    :param datatype: one of `DATATYPES`.
    :param readers: the least role that may read it; None: nobody, as with passwords.
    :param setters: the least role that may set it; None: nobody.
    :param accepts: whether a value of the datatype may be set.
    """

    read: Callable[[], Any]
    datatype: str
    description: str = ""
    readers: Role | None = Role.VIEWER
    setters: Role | None = None
    accepts: Callable[[Any], bool] = lambda value: True


#: Sets properties of an entity by name; raises errors of services.
Change = Callable[[Call, dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Entity:
    """Named parts.

    :param change: sets what stands in it; None where nothing can be set.
    """

    members: Mapping[str, "Node"]
    change: Change | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """Entities of one kind, by key.

    :param ids: the keys that there are, in their order.
    :param item: makes the entity of a key; of any key, also of one that is not there.
    :param add: makes another one out of the data and gives what is answered as data, or None.
    :param remove: removes the one of a key.
    :param changers: the least role that may do either.
    """

    ids: Callable[[], Iterable[str]]
    item: Callable[[str], Entity]
    add: Callable[[Call, dict[str, Any]], Awaitable[Any]] | None = None
    remove: Callable[[Call, str], Awaitable[None]] | None = None
    changers: Role = Role.ADMIN
    description: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done.

    :param run: does it and gives what is answered as data, or None.
    """

    run: Callable[[Call, dict[str, Any]], Awaitable[Any]]
    role: Role
    description: str = ""


Node = Property | Entity | Collection | Action


@dataclass(frozen=True, slots=True)
class Place:
    """A node and where it stands.

    :param key: under which it stands in its parent.
    """

    node: Node
    parent: Entity | Collection | None = None
    key: str = ""


def locate(root: Entity, segments: Sequence[str]) -> Place:
    """Find what a path names.

    :raises RestError: nothing is there.
    """
    place = Place(root)
    for segment in segments:
        node = place.node
        if isinstance(node, Entity) and segment in node.members:
            place = Place(node.members[segment], node, segment)
        elif isinstance(node, Collection) and segment in node.ids():
            place = Place(node.item(segment), node, segment)
        else:
            raise RestError(404, f"There is no {segment!r:.80} here")
    return place


def need(call: Call, role: Role | None, what: str) -> None:
    """Make sure that the asker may do something.

    :param role: the least that is needed; None: nobody may.
    """
    if role is None:
        raise RestError(405, f"This cannot be {what}")
    if call.role is None or call.role < role:
        raise NeedsRole(role)


def read(node: Node, call: Call) -> Any:
    """Read a node: a value, an object, or an array of objects."""
    if isinstance(node, Property):
        need(call, node.readers, "read")
        return node.read()
    if isinstance(node, Entity):
        return {name: read(part, call) for name, part in node.members.items() if _seen(part, call)}
    if isinstance(node, Collection):
        return [read(node.item(key), call) for key in node.ids()]
    raise RestError(405, "An action is triggered, not read")


def _seen(node: Node, call: Call) -> bool:
    """Tell whether a part is among what the asker is told of the whole."""
    if isinstance(node, Property):
        return node.readers is not None and call.role is not None and call.role >= node.readers
    return not isinstance(node, Action)


async def change(place: Place, call: Call, data: Any) -> None:
    """Set a property, or those of an entity that are named.

    :raises RestError: any of it cannot be set; then none of it has been.
    """
    node = place.node
    if isinstance(node, Property):
        assert isinstance(place.parent, Entity)
        if isinstance(data, dict) and set(data) == {place.key} and node.datatype != "object":
            data = data[place.key]  # pages show both forms
        node, data = place.parent, {place.key: data}
    if not isinstance(node, Entity):
        raise RestError(405, "This cannot be set")
    for work, values in list(_planned(node, call, data)):
        await work(call, values)


def _planned(entity: Entity, call: Call, data: Any) -> list[tuple[Change, dict[str, Any]]]:
    """Check what is to be set and give the changes that do it, outermost first."""
    if not isinstance(data, dict) or not data:
        raise RestError(400, "Invalid JSON body: 'data' is no object with members", BAD_BODY)
    own: dict[str, Any] = {}
    inner: list[tuple[Change, dict[str, Any]]] = []
    for name, value in data.items():
        part = entity.members.get(name)
        if isinstance(part, Entity):
            inner += _planned(part, call, value)
        elif isinstance(part, Property):
            need(call, part.setters, "set")
            if not _is_right(part, value):
                raise RestError(400, f"The value of {name!r} is not valid")
            own[name] = value
        else:
            raise RestError(400, f"There is no property {name!r:.80} here")
    if own and entity.change is None:
        raise RestError(405, "This cannot be set")
    return [(entity.change, own), *inner] if own and entity.change else inner


def _is_right(part: Property, value: Any) -> bool:
    kind = DATATYPES[part.datatype][0]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        return False
    if isinstance(value, list) and not all(isinstance(each, str) for each in value):
        return False
    return part.accepts(value)
