"""What can be said of an API out of its tree: for people, and as OpenAPI 3.0 for programs."""

from collections.abc import Iterator
from typing import Any

from axis_nvr.services.accounts import Role
from axis_nvr.vapix.rest.tree import DATATYPES, Action, Collection, Entity, Node, Property

#: What stands in a path for the key of an item.
_KEY = "{key}"


def _walk(node: Node, path: str) -> Iterator[tuple[str, Node, Collection | None]]:
    """Go through a tree: the path of each node, and the collection of one that is an item."""
    yield path, node, None
    if isinstance(node, Entity):
        for name, part in node.members.items():
            yield from _walk(part, f"{path}/{name}")
    elif isinstance(node, Collection):
        inner = _walk(node.item(""), f"{path}/{_KEY}")
        yield (*next(inner)[:2], node)
        yield from inner


def markdown(title: str, version: str, path: str, root: Entity) -> str:
    """Describe an API for people."""
    lines = [f"# {title} {version}", "", f"`{path}`", ""]
    lines += ["| Path | Kind | Operations | |", "| --- | --- | --- | --- |"]
    for place, node, within in _walk(root, ""):
        kind = type(node).__name__.lower()
        if isinstance(node, Property):
            kind = f"{kind}, {node.datatype}"
        done = ", ".join(f"{name} ({role})" for name, role in _operations(node, within))
        lines.append(f"| `{place or '/'}` | {kind} | {done} | {node.description} |")
    return "\n".join(lines) + "\n"


def _operations(node: Node, within: Collection | None) -> Iterator[tuple[str, str]]:
    """Tell what can be done with a node, and who may."""
    if isinstance(node, Property):
        named: list[tuple[str, Role | None]] = [("get", node.readers), ("set", node.setters)]
    elif isinstance(node, Action):
        named = [("trigger", node.role)]
    elif isinstance(node, Collection):
        named = [("get", Role.VIEWER), ("add", node.changers if node.add else None)]
    else:
        named = [("get", Role.VIEWER)]
        if within is not None and within.remove is not None:
            named.append(("remove", within.changers))
    for name, role in named:
        if role is not None:
            yield name, role.name.lower()


def openapi(title: str, version: str, path: str, root: Entity) -> dict[str, Any]:
    """Describe an API for programs."""
    verbs = {"get": "get", "set": "patch", "trigger": "post", "add": "post", "remove": "delete"}
    paths: dict[str, Any] = {}
    for place, node, within in _walk(root, ""):
        found: dict[str, Any] = {
            verbs[name]: _operation(name, role, node) for name, role in _operations(node, within)
        }
        if isinstance(node, Entity) and node.change is not None:
            found["patch"] = _operation("set", "", node)
        if not found:
            continue
        if _KEY in place:
            key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}
            found["parameters"] = [key]
        paths[place or "/"] = found
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "version": version},
        "servers": [{"url": path}],
        "paths": paths,
    }


def _operation(name: str, role: str, node: Node) -> dict[str, Any]:
    answered: dict[str, Any] = {"status": {"type": "string", "enum": ["success"]}}
    if name == "get":
        answered["data"] = _schema(node)
    status = "201" if name == "add" else "200"
    told: dict[str, Any] = {
        "summary": node.description or name,
        "responses": {status: {"description": "success", "content": _content(answered)}},
    }
    if role:
        told["description"] = f"Needs the rights of: {role}"
    if name in ("set", "trigger", "add"):
        inner = {"type": "object"} if name != "set" else _schema(node)
        told["requestBody"] = {"required": True, "content": _content({"data": inner})}
    return told


def _content(properties: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object", "properties": properties}}}


def _schema(node: Node) -> dict[str, Any]:
    if isinstance(node, Property):
        return DATATYPES[node.datatype][1]
    if isinstance(node, Collection):
        return {"type": "array", "items": _schema(node.item(""))}
    parts = node.members.items() if isinstance(node, Entity) else ()
    shown = {name: _schema(part) for name, part in parts if not isinstance(part, Action)}
    return {"type": "object", "properties": shown}
