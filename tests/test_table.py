from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.audit import GENESIS, Entry, Record, seal, verify
from chalicelib.clock import Clock
from chalicelib.effect import canonical_text
from chalicelib.errors import Busy, Corrupt
from chalicelib.table import (
    ABSENT,
    IN_PHASE,
    LEASE_FREE,
    LEASED,
    NOBODY,
    SAME_OR_ABSENT,
    SAME_VERSION,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Put,
    Tables,
    decode,
    decode_record,
    encode,
    encode_record,
)
from chalicelib.table.items import stored_text
from chalicelib.table.tables import ATTEMPTS, HEADS
from firebreak.cloud.calls import ProcessKilled
from firebreak.stage import Stage
from tests.worlds import failing, refusal, world

QUICK = settings(max_examples=60, deadline=None)
ITEM = Item("P", "A", {"n": 1}, version=3, phase="apply", owner="me", expires=100)
ENTRY = Entry("chain", "tested", {"function": "test"}, {"n": 1})

ANY_TEXT = st.text(st.characters(codec=None, categories=None))  # surrogates, too
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


class Still(Clock):
    """A clock that only lets others have their turn."""

    def sleep(self, seconds: float) -> None:
        """Let no time pass."""
        time.sleep(seconds * 0)


@pytest.fixture
def stage(database: str) -> Iterator[Stage]:
    """Give a stage without playbooks, in each of the databases."""
    with world() as made:
        yield made


@pytest.fixture
def tables(stage: Stage) -> Tables:
    """Give the tables of a stage."""
    return stage.desk.tables


def another(stage: Stage) -> Tables:
    """Return the same tables as another process has them."""
    names = stage.settings.remediations_table, stage.settings.audit_table
    return Tables(stage.cloud.session().client("dynamodb"), *names, Still())


def write(tables: Tables, *operations: Any) -> Record:
    return tables.commit(ENTRY, lambda _seq: operations)


def read(tables: Tables, sk: str = "A") -> Item | None:
    return tables.get(("P", sk))[0]


# --- items ----------------------------------------------------------------------------------------


@QUICK
@given(
    st.builds(
        Item,
        st.text(min_size=1),
        st.text(min_size=1),
        st.dictionaries(st.text(), JSON_VALUES, max_size=3),
        st.integers(0, 2**60),
        st.text(min_size=1),
        st.text(min_size=1),
        st.integers(0, 2**60),
    )
)
def test_an_item_comes_back_as_it_was(item: Item) -> None:
    """Encoding and decoding keeps every attribute and the canonical text of the data."""
    back = decode(encode(item))

    assert canonical_text(json.loads(stored_text(item.data))) == canonical_text(back.data)
    assert (item.version, item.expires) == (back.version, back.expires)
    assert (item.pk, item.sk, item.phase, item.owner) == (back.pk, back.sk, back.phase, back.owner)


@QUICK
@given(JSON_VALUES)
def test_stored_text_is_utf8_and_stable(value: Any) -> None:
    """What is stored can be encoded, says the same when read, and reads the same ever after."""
    text = stored_text(value)
    once = json.loads(text)

    text.encode("utf-8")
    assert text == stored_text(once) or "\\ud" in text
    assert stored_text(once) == stored_text(json.loads(stored_text(once)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ("é😀\u2028", '"é😀\u2028"'),
        ("\ud800", '"\\ud800"'),
        ("\\\udfff", '"\\\\\\udfff"'),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1e300, "1e+300"),
        (10**40, "1" + "0" * 40),
        ({"k": {2, 1}}, '{"k":[1,2]}'),
        ((1, 2), "[1,2]"),
    ],
)
def test_stored_text_of_odd_values(value: Any, text: str) -> None:
    """Odd values have one text each."""
    assert text == stored_text(value)


def test_what_is_stored_is_read_back(tables: Tables) -> None:
    """An item comes back from DynamoDB with letters of every kind, large numbers and fractions."""
    data = {"text": "é😀\ud800\x00\u2028", "big": 10**40, "float": 0.1, "none": None, "deep": [{}]}
    tables.put(Item("P", "A", data))

    assert Item("P", "A", data) == read(tables)


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"S": "{"}},
        {"data": {"S": "[]"}},
        {"data": {"S": '"text"'}},
        {"data": {"N": "1"}},
        {"data": None},
        {"version": {"N": "many"}},
        {"expires": {"S": "1"}},
        {"phase": {}},
        {"owner": None},
    ],
    ids=str,
)
def test_an_altered_item_is_corrupt(change: dict[str, Any]) -> None:
    """An item that is not what Firebreak writes is named, not used."""
    with pytest.raises(Corrupt, match=r"item .*'P'.*'A'"):
        decode(encode(ITEM) | change)


@pytest.mark.parametrize("name", ["pk", "sk", "data", "version", "phase", "owner", "expires"])
def test_an_item_without_an_attribute_is_corrupt(name: str) -> None:
    """Every attribute has to be there."""
    with pytest.raises(Corrupt):
        decode({key: value for key, value in encode(ITEM).items() if key != name})


# --- reading --------------------------------------------------------------------------------------


def test_get_gives_items_in_the_order_asked_for(tables: Tables) -> None:
    """Missing items are None, and a key may be asked for twice."""
    tables.put(ITEM)

    assert [None, ITEM, ITEM] == tables.get(("P", "B"), ("P", "A"), ("P", "A"))
    assert [] == tables.get()


def test_get_takes_more_keys_than_one_request(tables: Tables) -> None:
    """More than a hundred keys are asked for in several requests."""
    items = [Item("P", f"{number:03d}", {"n": number}) for number in range(130)]
    for item in items:
        tables.put(item)

    assert items == tables.get(*(("P", f"{number:03d}") for number in range(130)))


class Half:
    """A DynamoDB that leaves keys of a request for later."""

    def __init__(self, gives: int) -> None:
        self.gives = gives

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # boto3's
        """Answer for the first keys."""
        asked = RequestItems["table"]["Keys"]
        later = {"table": {"Keys": asked[self.gives :], "ConsistentRead": True}}
        items = [encode(Item(key["pk"]["S"], key["sk"]["S"], {})) for key in asked[: self.gives]]
        return {"Responses": {"table": items}, "UnprocessedKeys": later if asked[1:] else {}}


def test_get_asks_again_for_what_was_left() -> None:
    """Keys that DynamoDB did not come to are asked for again."""
    found = Tables(Half(1), "table", "audit", Still()).get(("P", "A"), ("P", "B"), ("P", "C"))

    assert ["A", "B", "C"] == [item.sk for item in found if item]


def test_get_does_not_ask_for_ever() -> None:
    """A table that never answers is busy."""
    with pytest.raises(Busy):
        Tables(Half(0), "table", "audit", Still()).get(("P", "A"), ("P", "B"))


def test_query_gives_a_prefix_in_order(tables: Tables) -> None:
    """A query gives every page of the items of one partition whose key begins so, sorted."""
    for pk, sk in (("P", "B#2"), ("P", "B#1"), ("P", "A"), ("Q", "B#0")):
        tables.put(Item(pk, sk, {"x": "x" * 300_000}))

    assert ["B#1", "B#2"] == [item.sk for item in tables.query("P", "B#")]
    assert ["A", "B#1", "B#2"] == [item.sk for item in tables.query("P")]
    assert [] == tables.query("R")


def test_remediations_and_chains_are_listed(tables: Tables) -> None:
    """The ids of all remediations and chains can be listed."""
    for identity in ("b", "a"):
        tables.put(Item(f"REMEDIATION#{identity}", "META", {}))
        tables.put(Item(f"REMEDIATION#{identity}", "STEP", {}))
        tables.commit(Entry(identity, "k", {}, {}), lambda _seq: [])

    assert ["a", "b"] == sorted(tables.remediation_ids())
    assert ["a", "b"] == tables.chains()


# --- conditions -----------------------------------------------------------------------------------

CONDITIONS = [
    pytest.param(ABSENT, {}, False, True, id="absent"),
    pytest.param(SAME_VERSION, {"version": 3}, True, False, id="same version"),
    pytest.param(SAME_VERSION, {"version": 2}, False, False, id="other version"),
    pytest.param(SAME_OR_ABSENT, {"version": 3}, True, True, id="same or absent"),
    pytest.param(SAME_OR_ABSENT, {"version": 2}, False, True, id="other or absent"),
    pytest.param(IN_PHASE, {"phase": "apply"}, True, False, id="in phase"),
    pytest.param(IN_PHASE, {"phase": "undo"}, False, False, id="in another phase"),
    pytest.param(LEASED, {"owner": "me"}, True, False, id="leased"),
    pytest.param(LEASED, {"owner": "you"}, False, False, id="leased to another"),
    *(
        pytest.param(LEASE_FREE, {"owner": o, "nobody": NOBODY, "now": n}, holds, True, id=name)
        for name, o, n, holds in (
            ("lease of mine", "me", 50, True),
            ("lease of another", "you", 50, False),
            ("lease that ends now", "you", 100, False),
            ("lease that ended", "you", 101, True),
        )
    ),
]


@pytest.mark.parametrize(("condition", "values", "there", "absent"), CONDITIONS)
def test_a_condition_decides(
    tables: Tables, condition: str, values: dict[str, str | int], *, there: bool, absent: bool
) -> None:
    """Each condition holds for exactly the items it is about, in puts and in transactions."""
    new = Item("P", "A", {"n": 2})
    assert absent == tables.put_where(new, condition, values)
    tables.put(ITEM)
    assert there == holds(tables, Check("P", "A", condition, values))
    assert there == tables.put_where(new, condition, values)
    tables.put(ITEM)
    assert there == holds(tables, Put(new, condition, values))
    tables.put(ITEM)
    assert there == holds(tables, Delete("P", "A", condition, values))
    assert absent == holds(tables, Put(Item("P", "B", {}), condition, values))


def holds(tables: Tables, operation: Put | Check | Delete) -> bool:
    """Say whether a transaction of one operation is carried out."""
    try:
        write(tables, operation)
    except ConditionFailed as failed:
        return (operation.name,) != failed.names
    return True


def test_a_released_lease_is_free(tables: Tables) -> None:
    """Nobody's lease can be taken before it ends."""
    tables.put(Item("P", "A", {}, owner=NOBODY, expires=10**10))

    assert tables.put_where(ITEM, LEASE_FREE, {"owner": "me", "nobody": NOBODY, "now": 1})


def test_a_transaction_is_whole_or_not_at_all(tables: Tables) -> None:
    """Where one condition fails nothing is written, no record either, and its item is named."""
    tables.put(ITEM)
    operations = [
        Put(Item("P", "NEW", {})),
        Check("P", "A", SAME_VERSION, {"version": 3}),
        Put(Item("P", "A2", {}), SAME_VERSION, {"version": 1}),
        Delete("P", "A3", IN_PHASE, {"phase": "undo"}),
    ]
    with pytest.raises(ConditionFailed) as failed:
        write(tables, *operations)

    assert ("A2", "A3") == failed.value.names
    assert "A2, A3" in str(failed.value)
    assert [ITEM] == tables.query("P")
    assert [] == tables.records("chain")


def test_a_transaction_writes_checks_and_deletes(tables: Tables) -> None:
    """All kinds of operation are carried out together; `build` knows the record's number."""
    tables.put(ITEM)
    numbers = []

    def build(seq: int) -> list[Put | Check | Delete]:
        numbers.append(seq)
        return [
            Put(Item("P", "NEW", {"seq": seq}), ABSENT),
            Check("Q", "A", ABSENT, {}),
            Delete("P", "A"),
        ]

    record = tables.commit(ENTRY, build)

    assert [1] == numbers
    assert [Item("P", "NEW", {"seq": 1})] == tables.query("P")
    assert [record] == tables.records("chain")


# --- the chain ------------------------------------------------------------------------------------


def test_each_commit_is_one_record_of_its_chain(tables: Tables) -> None:
    """Records follow each other from 1, whatever happens in other chains."""
    for number in range(3):
        tables.commit(Entry("a", "k", {}, {"n": number}), lambda _seq: [])
        tables.commit(Entry("b", "k", {}, {"n": number}), lambda _seq: [])
    records = tables.records("a")

    assert [(1, 0), (2, 1), (3, 2)] == [(each.seq, each.what["n"]) for each in records]
    assert GENESIS == records[0].prev_hash
    assert verify(records, "a").valid


def test_a_chain_written_by_another_process_goes_on(stage: Stage, tables: Tables) -> None:
    """A process that remembers an old end of a chain finds the new one."""
    other = another(stage)
    for writer in (tables, other, other, tables, other):
        writer.commit(ENTRY, lambda _seq: [])

    assert str(verify(tables.records("chain"))) == "valid"
    assert [1, 2, 3, 4, 5] == [record.seq for record in tables.records("chain")]


def commit_once(writer: Tables, name: int, item: Item) -> None:
    """Commit as a state machine has it done: again while the chain is busy."""
    entry = Entry("chain", "k", {"w": name}, {})
    while True:
        try:
            writer.commit(entry, lambda _seq: [Put(item, ABSENT)])
        except Busy:
            continue
        return


def test_writers_side_by_side_make_one_chain(stage: Stage) -> None:
    """Four processes that write 25 records each at once make one unbroken chain of 100."""
    writers = [another(stage) for _ in range(4)]
    begin = threading.Barrier(4)

    def work(writer: Tables, name: int) -> None:
        begin.wait()
        for number in range(25):
            commit_once(writer, name, Item("P", f"{name}#{number:02d}", {}))

    threads = [threading.Thread(target=work, args=(w, n)) for n, w in enumerate(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = stage.desk.tables.records("chain")

    assert 100 == len(stage.desk.tables.query("P"))
    assert (True, 100) == (verify(records).valid, verify(records).records)
    assert {0: 25, 1: 25, 2: 25, 3: 25} == {
        name: sum(record.who["w"] == name for record in records) for name in range(4)
    }


def test_a_record_of_odd_letters_verifies_once_read(tables: Tables) -> None:
    """A chain holds whatever a finding says: halves of letters, halves that meet, large numbers."""
    odd = {"one": "\ud800", "pair": "\ud83d\ude00", "\udfff": [1e300, -0.0, 10**40], "nul": "\x00"}
    tables.commit(Entry("chain", "k", {}, odd), lambda _seq: [])
    tables.commit(Entry("chain", "k", {}, {"set": {2, 1}, "pair": (1, 2)}), lambda _seq: [])

    assert "valid" == str(verify(tables.records("chain")))


def test_a_process_killed_after_a_commit_left_a_whole_one(stage: Stage, tables: Tables) -> None:
    """A commit whose answer is lost took effect, and the next one follows it."""
    write(tables)
    stage.cloud.inject = failing("TransactWriteItems", ProcessKilled, phase="after")
    with pytest.raises(ProcessKilled):
        write(tables, Put(Item("P", "A", {}), ABSENT))
    write(tables, Put(Item("P", "B", {}), ABSENT))

    assert ["A", "B"] == [item.sk for item in tables.query("P")]
    assert (True, 3) == ((found := verify(tables.records("chain"))).valid, found.records)


def test_a_process_killed_before_a_commit_left_nothing(stage: Stage, tables: Tables) -> None:
    """A commit that did not take effect leaves neither item nor record."""
    stage.cloud.inject = failing("TransactWriteItems", ProcessKilled)
    with pytest.raises(ProcessKilled):
        write(tables, Put(Item("P", "A", {}), ABSENT))

    assert ([], []) == (tables.query("P"), tables.records("chain"))


def test_only_so_many_ends_of_chains_are_remembered(tables: Tables) -> None:
    """A warm function does not keep a record of every event it saw."""
    for number in range(HEADS + 10):
        tables._remember(seal(Entry(str(number), "k", {}, {}), None, "now"))

    assert len(tables._heads) <= HEADS


# --- what AWS answers -----------------------------------------------------------------------------


def cancelled(*codes: str) -> Callable[[], ClientError]:
    """Return how DynamoDB cancels a transaction for reasons."""
    reasons = [{"Code": code} for code in codes]
    return lambda: refusal("TransactionCanceledException", CancellationReasons=reasons)


def test_a_conflict_of_transactions_is_tried_again(stage: Stage, tables: Tables) -> None:
    """A transaction cancelled because of another one is written a little later."""
    stage.cloud.inject = failing(
        "TransactWriteItems", cancelled("TransactionConflict", "None"), times=3
    )
    write(tables, Put(ITEM))

    assert ITEM == read(tables)


def test_a_chain_that_stays_contended_is_busy(stage: Stage, tables: Tables) -> None:
    """Writing is not tried for ever."""
    stage.cloud.inject = failing(
        "TransactWriteItems", cancelled("None", "ConditionalCheckFailed"), times=ATTEMPTS
    )
    with pytest.raises(Busy, match="chain"):
        write(tables, Put(ITEM))


@pytest.mark.parametrize("code", ["ThrottlingError", "ValidationError", "AccessDenied"])
def test_another_reason_is_raised(stage: Stage, tables: Tables, code: str) -> None:
    """A transaction cancelled for any other reason is AWS's error, for the caller to sort."""
    stage.cloud.inject = failing("TransactWriteItems", cancelled(code, "None"))
    with pytest.raises(ClientError, match="TransactionCanceled"):
        write(tables, Put(ITEM))


def test_a_lease_under_a_transaction_is_tried_again(stage: Stage, tables: Tables) -> None:
    """A put that meets a transaction on the same item is made a little later, or is Busy."""
    conflict = refusal("TransactionConflictException")
    stage.cloud.inject = failing("PutItem", lambda: conflict, times=ATTEMPTS + 2)
    with pytest.raises(Busy, match="written by others"):
        tables.put_where(ITEM, ABSENT, {})

    assert tables.put_where(ITEM, ABSENT, {})


def test_a_refused_read_is_raised(stage: Stage, tables: Tables) -> None:
    """What AWS refuses is not taken for an absent item."""
    stage.cloud.inject = failing("BatchGetItem", lambda: refusal("AccessDeniedException"))
    with pytest.raises(ClientError, match="AccessDeniedException"):
        read(tables)


# --- audit records as items -----------------------------------------------------------------------

RECORD = seal(ENTRY, None, "2026-11-21T00:00:00.000Z")
TEXT = encode_record(RECORD)["record"]["S"]


@pytest.mark.parametrize(
    "change",
    [
        {"record": {"S": "{"}},
        {"record": {"S": "[]"}},
        {"record": {"S": "{}"}},
        {"record": {"S": TEXT.replace('"kind"', '"sort"')}},
        {"record": {"S": TEXT.replace('"seq":1', '"seq":2')}},
        {"record": {"S": TEXT.replace('"chain":"chain"', '"chain":"other"')}},
        {"chain": {"S": "other"}},
        {"seq": {"N": "2"}},
        {"seq": {"N": "one"}},
        {"hash": {"S": GENESIS}},
        {"hash": {}},
    ],
    ids=str,
)
def test_an_altered_record_is_corrupt(change: dict[str, Any]) -> None:
    """A record that does not lie where it says, or is none, is named, not used."""
    assert RECORD == decode_record(encode_record(RECORD))
    with pytest.raises(Corrupt, match="audit record"):
        decode_record(encode_record(RECORD) | change)
