"""What an event is: its topic, what it says, and whether it has a state.

Clients list declarations to build rules of them; so every event is declared before it is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

BOOLEAN = "xsd:boolean"
INTEGER = "xsd:int"
FLOAT = "xsd:float"
STRING = "xsd:string"
TOKEN = "tt:ReferenceToken"  # noqa: S105 - no password


@dataclass(frozen=True, slots=True)
class ItemDeclaration:
    """One item of an event.

    :param type: of its value, such as `BOOLEAN`.
    :param nice_name: for people.
    :param values: those it may have, as far as they are known.
    :param is_state: whether it is the state of the event.
    :param value_names: names for people of its values, as far as they have any.
    """

    name: str
    type: str
    nice_name: str = ""
    values: tuple[str, ...] = ()
    is_state: bool = False
    value_names: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class EventDeclaration:
    """One event.

    :param topic: as `wire.topics.normalized` writes it, once it is declared on the bus.
    :param nice_name: for people.
    :param is_property: whether it has a state.
    :param source: items that tell which of several instances it is.
    :param data: items that tell what happened, the state first.
    :param is_application_data: whether it is for programs only, and not to be shown.
    :param level_names: names for people of the levels above, by their topics.
    """

    topic: str
    nice_name: str = ""
    is_property: bool = False
    source: tuple[ItemDeclaration, ...] = ()
    data: tuple[ItemDeclaration, ...] = ()
    is_application_data: bool = False
    level_names: Mapping[str, str] = field(default_factory=dict, hash=False)
