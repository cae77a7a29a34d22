"""Filters looked up, and what a notification means for them."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.rules import watch as watch_module
from axis_nvr.services.rules.filters import compiled
from axis_nvr.services.rules.model import CONCRETE, FilterText
from axis_nvr.services.rules.watch import Watch, required
from axis_nvr.wire.notification import Items, Notification, Operation
from tests.services.rules.situations import MOTION, item

NAMES, VALUES = st.sampled_from("abc"), st.sampled_from(["0", "1", "true", "x"])
ITEMS = st.builds(item, NAMES, VALUES)
#: Expressions of any depth; half of the plain ones need all of their items.
EXPRESSIONS = st.recursive(
    ITEMS,
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("({}) or {}".format, inner, inner),
        st.builds("not({})".format, inner),
        st.builds("( {} )".format, inner),
    ),
    max_leaves=4,
)
FILTERS = st.lists(
    st.builds(
        FilterText,
        st.sampled_from([MOTION, "", "tnsaxis:Storage//.", f"{MOTION}//."]),
        st.just(CONCRETE),
        st.lists(EXPRESSIONS, min_size=1, max_size=2).map(tuple),
    ),
    max_size=8,
)
SAID = st.lists(st.tuples(NAMES, VALUES), max_size=3, unique_by=lambda pair: pair[0]).map(tuple)


def told(data: Items, operation: Operation | None = None, source: Items = ()) -> Notification:
    return Notification(MOTION, 0, operation, source, data)


class LookUpTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(FILTERS, st.lists(SAID, max_size=6))
    def test_the_same_as_trying_all(self, texts: list[FilterText], said: list[Items]) -> None:
        """What is looked up is what matches when each filter is tried, however often it is told."""
        watch = Watch()
        for text in texts:
            watch.add(text)
        for items in said * 2:
            found = {w.filter for w in watch.take(told(items)).happened}
            filters = map(compiled, texts)
            expected = {wanted for wanted in filters if wanted.matches(told(items))}
            self.assertEqual(found, expected)

    def test_what_is_needed(self) -> None:
        """Items that all must be there are seen, quoted either way; of others nothing is said."""
        both = frozenset({("a", "1"), ("b", "x and y")})
        plain = f"{item('a', 'true')} and ({item('b', 'x and y')})"
        self.assertEqual(required([plain]), both)
        self.assertEqual(required([plain.replace('"', "'")]), both)
        self.assertEqual(required([item("a", "1"), item("b", "x and y")]), both)
        for text in (f"{item('a', '1')} or {item('b', '1')}", f"not({item('a', '1')})", ""):
            self.assertEqual(required([text]), frozenset())

    def test_bounded(self) -> None:
        """What is remembered has an end; an instance of which a filter is true is not forgotten."""
        self.patch(watch_module, "MAX_OTHERS", 20)
        self.patch(watch_module, "MAX_REMEMBERED", 30)
        watch = Watch()
        watched = watch.add(FilterText(MOTION, contents=(item("active", "1"),)))
        for active, expected in (("1", 100), ("0", 0)):
            for number in range(100):
                source = (("device", f"d{number}"),)
                watch.take(told((("active", active),), Operation.CHANGED, source))
                self.assertEqual(watched.true_of, number + 1 if expected else 99 - number)
        (topic,) = watch._topics.values()
        self.assertEqual((len(topic.instances), len(topic.others)), (0, 20))
        self.assertLessEqual(len(topic.matching), 30)

    def test_what_was_told_before(self) -> None:
        """An instance is new once; neither its end nor a look at all anew makes it new again."""
        watch = Watch()
        watch.add(FilterText(MOTION, contents=(item("active", "1"),)))
        on, off = (("active", "1"),), (("active", "0"),)
        first = watch.take(told(on, Operation.INITIALIZED))
        watch.restart([told(on, Operation.INITIALIZED)])
        watch.take(told(off, Operation.DELETED))
        again = watch.take(told(on, Operation.INITIALIZED))
        self.assertEqual((first.is_news, again.is_news), (False, True))
        self.assertEqual((len(first.turned), len(again.turned)), (1, 1))
