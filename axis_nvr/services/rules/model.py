"""What a rule is made of: templates, configurations made from them, and rules.

A **template** says what an action or a recipient needs to know. A **configuration** is a template
with values. A **rule** says when the action of a configuration runs.
"""

from dataclasses import dataclass

#: Dialects of topic expressions (WS-Topics 1.3 §8, ONVIF Core §9.6.1).
CONCRETE = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete"
CONCRETE_SET = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
SIMPLE = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple"
TOPIC_DIALECTS = (CONCRETE, CONCRETE_SET, SIMPLE)
#: The dialect of message content expressions (ONVIF Core §9.6.3).
ITEM_FILTER = "http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter"


@dataclass(frozen=True, slots=True)
class FilterText:
    """Which notifications are meant, in the words of the client.

    :param topic: a topic expression; empty for any topic.
    :param topic_dialect: its dialect, one of `TOPIC_DIALECTS`; empty counts as `CONCRETE`.
    :param contents: item filters; all must match.
    """

    topic: str
    topic_dialect: str = CONCRETE
    contents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """What an action or a recipient needs to know.

    :param token: its name, such as ``com.axis.action.fixed.notification.http``.
    :param recipient: the token of the recipient template whose parameters are among its own;
        empty if it needs no recipient, and for a recipient template.
    :param parameters: the names of all its parameters, those of the recipient last.
    """

    token: str
    recipient: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """A template with values: of an action, or of a recipient.

    :param id: counted from 1, never used again; actions and recipients count apart.
    :param name: free text, may be empty.
    :param template: the token of its template.
    :param parameters: names and values in the order in which they came. What is secret is not
        among the values here: passwords are empty, and so are the values of HTTP headers.
    """

    id: int
    name: str
    template: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ActionRule:
    """When an action runs.

    :param id: counted from 1, never used again; 0 in a rule that is not kept yet.
    :param name: free text, may be empty.
    :param enabled: a rule that is not enabled is kept and does nothing.
    :param start_event: what starts the action, while all conditions hold.
    :param conditions: what must be so, in the order in which they came.
    :param activation_timeout_seconds: the least time between two executions; None without one.
    :param primary_action: the id of an action configuration.
    :param failover_action: the same; kept, not run.
    """

    id: int
    name: str
    enabled: bool
    start_event: FilterText | None
    conditions: tuple[FilterText, ...]
    activation_timeout_seconds: float | None
    primary_action: int
    failover_action: int | None = None
