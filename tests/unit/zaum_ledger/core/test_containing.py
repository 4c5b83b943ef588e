"""What an account makes of breaches, spent budgets and orders: told as a transcript, over pods, restarts and days."""

import json
from dataclasses import replace
from typing import Any

import pytest

from zaum_api import contract, incidents
from zaum_api.documents import (
    Action,
    Containment,
    Fact,
    Kind,
    Meter,
    Order,
    Posted,
    Spent,
    Step,
    Sync,
    Synced,
    Want,
    Window,
)
from zaum_ledger.core import accounts, conduct, containing, standing, stored
from zaum_ledger.core.accounts import Account
from zaum_ledger.core.windows import DAY, HOUR, MINUTE, SECOND

NOON = 20_000 * DAY + DAY // 2
TOKENS = Meter("policy", Kind.TOKENS, Window.DAY, 1000)
BYTES = Meter("policy", Kind.BYTES_OUT, Window.HOUR, 500)
RATE = Meter("policy", Kind.REQUESTS, Window.MINUTE, 60, 10)
NOTHING = Meter("policy", Kind.COST, Window.DAY, 0)
CPU = contract.Breach.RUNAWAY_CPU.value
KILL, QUARANTINE = incidents.Action.KILL, incidents.Action.QUARANTINE


class Books:
    """One policy's account, stored and read again between any two words, as restarts would."""

    def __init__(self, now: int = NOON, **containment: Any) -> None:
        self.account, self.now, self.containment = Account(), now, Containment(**containment)

    def sync(self, pod: str = "a", session: str = "", sequence: int = 1, **said: Any) -> Synced:
        whole: dict[str, Any] = {
            "generation": 1, "replicas": 1, "ordinal": 0, "meters": (TOKENS, BYTES, RATE, NOTHING),
            "containment": self.containment, **said,
        }  # fmt: skip
        request = accounts.Request(
            pod, Sync(session, sequence, "sha256:0", **whole), NOON - HOUR,
            name=f"zaum-researcher-0-{pod}", namespace="agents", policy="researcher",
        )  # fmt: skip
        account, answer = containing.sync(self.account, request, self.now)
        assert isinstance(answer, Synced)
        self.account = stored.parse(stored.dump(account))
        assert self.account == account
        return answer

    def breach(self, pod: str, word: str = CPU, **said: Any) -> None:
        """A pod starts, is heard, and says that it ends its agent."""
        opened = self.sync(pod)
        self.sync(pod, opened.session, 2, latched=word, **said)

    def post(self, action: Action, incident: str = "researcher-1", pod: str = "", reason: str = "Manual") -> None:
        posted = Posted("agents", "researcher", action, incident, reason, pod)
        self.account = containing.ordered(self.account, posted, self.now)

    def made(self, pod: str, *, ours: bool = True) -> None:
        self.account = containing.made(self.account, who(pod), self.now, ours=ours)

    def due(self) -> dict[str, incidents.Action]:
        return {uid: due.action for uid, due in self.account.conduct.due.items()}

    def orders(self, pod: str) -> list[tuple[Action, str]]:
        self.account = accounts.at(self.account, self.now)
        return [(one.action, one.reason) for one in standing.for_pod(self.account.conduct.orders, pod)]

    @property
    def kills(self) -> int:
        return containing.usage(self.account, namespace="agents", policy="researcher", now=self.now).kills


def who(pod: str) -> conduct.Who:
    return conduct.Who("agents", "researcher", f"zaum-researcher-0-{pod}", pod)


def test_i09_a_breach_makes_one_incident_due_whatever_is_said_again() -> None:
    books = Books()
    opened = books.sync("a")
    facts = (Fact("cpu", "100 % for 120 s"),)
    for sequence in (2, 2, 3, 4):
        books.sync("a", opened.session, sequence, latched=CPU, facts=facts, breached=7)
    assert books.account.conduct.due == {"a": conduct.Due("zaum-researcher-0-a", CPU, KILL, NOON, 0, facts, 7)}
    assert books.kills == 1
    books.made("a")
    books.sync("a", opened.session, 5, latched=CPU, facts=facts)
    assert (books.due(), books.kills) == ({}, 1), "and none again once it is there"


def test_i09_a_breach_in_a_sessions_first_word_counts() -> None:
    books = Books()
    books.sync("a", latched=CPU)
    assert books.due() == {"a": KILL}


def test_i09_its_name_is_the_one_that_the_operator_makes_for_the_same_pod() -> None:
    assert who("a").incident == incidents.name("agents", "researcher", "a")


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (0, [QUARANTINE]),
        (1, [KILL, QUARANTINE]),
        (3, [KILL, KILL, KILL, QUARANTINE]),
    ],
)
def test_i10_so_many_kills_are_kills_and_the_next_is_a_quarantine(
    before: int, expected: list[incidents.Action]
) -> None:
    books = Books(kills_before_quarantine=before)
    found = []
    for number, _ in enumerate(expected):
        books.breach(f"pod-{number}")
        found.append(books.due()[f"pod-{number}"])
        books.made(f"pod-{number}")
        books.now += HOUR
    assert found == expected


def test_i10_kills_are_forgotten_one_by_one_after_a_day() -> None:
    books = Books(kills_before_quarantine=2)
    books.breach("a")
    books.now += DAY - MINUTE
    books.breach("b")
    assert books.kills == 2
    books.now += 2 * MINUTE
    assert books.kills == 1
    books.breach("c")
    assert books.due()["c"] is KILL


def test_i10_kills_outlive_the_pods_and_the_policy() -> None:
    books = Books(kills_before_quarantine=1)
    books.breach("a")
    books.made("a")
    books.now += 20 * HOUR
    assert not accounts.gone(books.account, books.now), "everything else of it has ended"
    books.account = accounts.restored(books.account, books.now)
    books.breach("b", generation=9)
    assert books.due() == {"b": QUARANTINE}


def test_an_account_with_nothing_to_contain_is_forgotten() -> None:
    books = Books()
    books.breach("a")
    assert not accounts.gone(books.account, books.now + 40 * DAY), "an Incident is still to be made"
    books.made("a")
    assert not accounts.gone(books.account, books.now + DAY - 1)
    assert accounts.gone(books.account, books.now + DAY)


def test_a_policy_that_asks_for_it_is_quarantined_at_once() -> None:
    books = Books(on_runaway=Step.QUARANTINE)
    books.breach("a")
    assert books.due() == {"a": QUARANTINE}


def test_a_watchdog_that_does_not_know_its_policys_containment_is_taken_by_the_default() -> None:
    books = Books()
    for number in range(4):
        opened = books.sync(str(number), containment=None)
        books.sync(str(number), opened.session, 2, containment=None, latched=CPU)
    assert list(books.due().values()) == [KILL, KILL, KILL, QUARANTINE]


@pytest.mark.parametrize("word", sorted(breach.value for breach in contract.BLAMELESS))
def test_what_nobody_is_blamed_for_counts_for_nothing(word: str) -> None:
    books = Books(kills_before_quarantine=0)
    books.breach("a", word)
    assert (books.due(), books.kills) == ({}, 0)


def test_a_word_of_a_later_release_is_a_verdict_too() -> None:
    books = Books(kills_before_quarantine=1)
    books.breach("a", "RunawayDreams", facts=tuple(Fact(f"fact{number}", "1") for number in range(16)))
    due = books.account.conduct.due["a"]
    assert (due.reason, due.facts[0], len(due.facts)) == ("WatchdogVerdict", Fact("word", "RunawayDreams"), 16)
    assert books.kills == 1


def test_i10_the_other_pods_of_a_policy_that_is_to_be_quarantined_are_cut_at_once() -> None:
    books = Books(kills_before_quarantine=0)
    other = books.sync("b", ordinal=1, replicas=2)
    assert books.orders("b") == []
    books.breach("a", replicas=2)
    assert books.orders("b") == [(Action.CUT, CPU)], "before it has spoken again"
    assert [order.action for order in books.sync("b", other.session, 2, ordinal=1, replicas=2).orders] == [Action.CUT]
    assert [order.action for order in books.sync("c", ordinal=2, replicas=3).orders] == [Action.CUT], "one that starts"
    assert books.orders("a") == [], "the one that broke out is ending by itself"
    books.made("a")
    assert books.sync("d", ordinal=3, replicas=4).orders == (), "from now on the Incident says who may start"
    assert books.orders("c") == [(Action.CUT, CPU)]
    books.post(Action.RELEASE, who("a").incident)
    assert books.orders("c") == [(Action.RELEASE, "Manual")]


def test_a_kill_cuts_no_other_pod() -> None:
    books = Books()
    books.sync("b", ordinal=1, replicas=2)
    books.breach("a", replicas=2)
    assert books.orders("b") == []


def test_a_cut_of_ours_ends_by_itself_where_another_has_made_the_incident() -> None:
    books = Books(kills_before_quarantine=0)
    books.sync("b", ordinal=1, replicas=2)
    books.breach("a", replicas=2)
    books.made("a", ours=False)
    assert books.orders("b") == [(Action.CUT, CPU)]
    books.now += conduct.BRIDGE
    assert books.orders("b") == [(Action.RELEASE, CPU)]


def test_i10_a_cut_that_the_operator_has_asked_for_does_not_end_by_itself() -> None:
    books = Books(kills_before_quarantine=0)
    books.breach("a")
    books.post(Action.CUT, who("a").incident)
    books.made("a", ours=False)
    books.now += 40 * DAY
    assert books.orders("b") == [(Action.CUT, "Manual")]


def test_a_release_of_one_pod_frees_that_pod_alone() -> None:
    books = Books()
    books.post(Action.CUT, pod="a")
    books.post(Action.CUT, pod="b")
    books.post(Action.RELEASE, pod="a")
    assert books.orders("a") == [(Action.RELEASE, "Manual")]
    assert books.orders("b") == [(Action.CUT, "Manual")]


def test_i10_a_release_forgives_the_kills_once() -> None:
    books = Books(kills_before_quarantine=1)
    books.breach("a")
    books.post(Action.RELEASE)
    assert books.kills == 0
    books.now += 1
    books.breach("a")
    assert (books.kills, list(books.due())) == (0, ["a"]), "what it has said before is not held against it again"
    books.breach("b")
    assert books.due()["b"] is KILL
    books.post(Action.RELEASE)
    assert books.kills == 1, "the same release said again forgives nothing more"


def test_a_kill_that_is_ordered_counts_once() -> None:
    books = Books()
    for _ in range(3):
        books.post(Action.KILL, pod="a", reason="CrashLoop")
    books.breach("a")
    assert (books.kills, books.due()) == (1, {}), "and the one who ordered it has made the Incident"
    assert books.orders("a") == [(Action.KILL, "CrashLoop")]
    assert books.orders("b") == [], "an order for one pod is for that pod"


def test_a_watchdog_that_restarted_is_not_held_against_the_policy() -> None:
    books = Books()
    books.post(Action.KILL, who("a").incident, pod="a", reason="WatchdogRestarted")
    assert books.kills == 0
    assert books.orders("a") == [(Action.KILL, "WatchdogRestarted")]
    books.post(Action.KILL, who("b").incident, pod="b", reason="WatchdogSilent")
    assert books.kills == 1


def test_what_a_person_ends_is_not_held_against_the_policy() -> None:
    books = Books()
    books.post(Action.KILL, pod="a")
    assert books.kills == 0
    assert books.orders("a") == [(Action.KILL, "Manual")]


def numbers(books: Books, pod: str = "a") -> list[int]:
    return [order.number for order in standing.for_pod(books.account.conduct.orders, pod)]


def test_orders_have_rising_numbers_and_the_same_one_keeps_its_own() -> None:
    books = Books()
    books.post(Action.CUT)
    first = numbers(books)
    books.now += SECOND
    books.post(Action.CUT)
    assert numbers(books) == first
    books.post(Action.KILL)
    books.post(Action.KILL, "researcher-2")
    found = numbers(books)
    assert found[0] == first[0]
    assert found == sorted(set(found))
    assert len(found) == 3


def test_a_cut_after_a_release_is_heard_and_so_is_the_release_after_it() -> None:
    books = Books()
    heard = 0
    for action in (Action.CUT, Action.RELEASE, Action.CUT, Action.RELEASE, Action.CUT):
        books.post(action)
        (order,) = standing.for_pod(books.account.conduct.orders, "a")
        assert order.action is action
        assert order.number > heard
        heard = order.number


def test_i10_the_release_of_one_incident_frees_no_pod_that_another_holds() -> None:
    books = Books()
    books.post(Action.CUT, "researcher-1")
    books.post(Action.KILL, "researcher-2", pod="a")
    books.post(Action.RELEASE, "researcher-1")
    assert books.orders("a") == [(Action.KILL, "Manual")]
    assert books.orders("b") == [(Action.RELEASE, "Manual")]
    books.post(Action.CUT, "researcher-3")
    assert books.orders("b") == [(Action.CUT, "Manual")]


def test_orders_are_bounded_and_what_holds_all_goes_last() -> None:
    books = Books()
    books.post(Action.CUT, "first")
    for number in range(300):
        books.post(Action.KILL, f"researcher-{number}", pod=f"pod-{number}")
        books.post(Action.RELEASE, f"other-{number}")
    orders = books.account.conduct.orders
    assert len(orders) == standing.KEPT
    assert any(one.incident == "first" for one in orders)
    assert sum(one.action is Action.RELEASE for one in orders) <= 1
    assert books.orders("pod-299")[-1] == (Action.KILL, "Manual")


def test_kills_are_bounded() -> None:
    books = Books()
    for number in range(conduct.KILLS_KEPT + 20):
        books.now += 1
        books.post(Action.KILL, f"r-{number}", pod=f"pod-{number}", reason="CrashLoop")
    assert books.kills == conduct.KILLS_KEPT
    assert "pod-0" not in books.account.conduct.kills


def needing(meter: str, amount: int) -> dict[str, tuple[Want, ...]]:
    """What a watchdog says that has refused its agent so much for good."""
    return {"wants": (Want(meter, amount),), "needs": (Want(meter, amount),)}


class Spender(Books):
    """Spends the day's tokens, and asks for more."""

    def spend(self, pod: str = "a", *, want: int = 100, meter: Meter = TOKENS) -> Synced:
        session = self.sync(pod).session
        (lease,) = self.sync(pod, session, 2, wants=(Want(meter.id, meter.limit),)).leases
        self.sync(pod, session, 3, spent=(Spent(lease.id, meter.limit),), returned=(lease.id,))
        return self.sync(pod, session, 4, **needing(meter.id, want))


def test_i07_a_spent_budget_is_refused_and_by_default_nothing_more() -> None:
    books = Spender()
    answer = books.spend()
    assert answer.refused
    assert answer.orders == ()
    assert (books.due(), books.kills) == ({}, 0)


def test_a_spent_budget_kills_where_the_policy_says_so_and_quarantines_in_the_end() -> None:
    books = Spender(on_budget=Step.KILL, kills_before_quarantine=1)
    answer = books.spend()
    assert [(order.action, order.reason) for order in answer.orders] == [(Action.KILL, "BudgetSpent")]
    due = books.account.conduct.due["a"]
    assert (due.reason, due.action, due.facts) == ("BudgetSpent", KILL, (Fact("meter", TOKENS.id),))
    session = books.sync("b").session
    answer = books.sync("b", session, 2, **needing(TOKENS.id, 1))
    assert {order.action for order in answer.orders} == {Action.KILL}
    assert books.due()["b"] is QUARANTINE


def test_a_spent_budget_quarantines_at_once_where_the_policy_says_so() -> None:
    books = Spender(on_budget=Step.QUARANTINE)
    books.spend()
    assert books.due() == {"a": QUARANTINE}


@pytest.mark.parametrize(("meter", "back"), [(TOKENS, DAY // 2), (BYTES, HOUR + MINUTE)])
def test_a_spent_budget_cuts_all_pods_until_some_of_it_is_back(meter: Meter, back: int) -> None:
    books = Spender(on_budget=Step.CUT)
    answer = books.spend(meter=meter)
    assert [order.action for order in answer.orders] == [Action.CUT]
    assert books.orders("b") == [(Action.CUT, "BudgetSpent")]
    assert (books.due(), books.kills) == ({}, 0)
    books.now = NOON + back - 1
    assert books.orders("b") == [(Action.CUT, "BudgetSpent")]
    books.now += 1
    assert books.orders("b") == [(Action.RELEASE, "BudgetSpent")]


@pytest.mark.parametrize(
    "wants",
    [
        pytest.param((Want(TOKENS.id, 1001),), id="more than there can ever be"),
        pytest.param((Want(NOTHING.id, 1),), id="a budget of nothing"),
        pytest.param((Want(RATE.id, 1),), id="a rate"),
        pytest.param((Want("host/a.example.org:bytesOut/hour", 1),), id="no meter of the policy"),
        pytest.param((Want(TOKENS.id, 1),), id="what another holds and may give back"),
    ],
)
def test_what_is_no_spent_budget_kills_nobody(wants: tuple[Want, ...]) -> None:
    books = Spender(on_budget=Step.QUARANTINE)
    other = books.sync("b", ordinal=1, replicas=2).session
    books.sync("b", other, 2, ordinal=1, replicas=2, wants=(Want(TOKENS.id, 1000),))
    mine = books.sync("a", replicas=2).session
    assert books.sync("a", mine, 2, replicas=2, wants=wants, needs=wants).refused
    assert books.due() == {}


def test_i09_nobody_is_ended_for_a_budget_of_which_only_what_is_ahead_of_need_does_not_fit() -> None:
    books = Books(on_budget=Step.QUARANTINE)
    session = books.sync("a").session
    (lease,) = books.sync("a", session, 2, **needing(TOKENS.id, 400)).leases
    spent = (Spent(lease.id, 400),)
    wants = (Want(TOKENS.id, 800),)
    answer = books.sync("a", session, 3, spent=spent, returned=(lease.id,), wants=wants)
    assert [(item.meter, item.remaining) for item in answer.refused] == [(TOKENS.id, 600)]
    answer = books.sync("a", session, 4, wants=wants, needs=(Want(TOKENS.id, 400),))
    assert (answer.orders, books.due()) == ((), {}), "what is needed is there"
    books.sync("a", session, 5, **needing(TOKENS.id, 601))
    assert books.due() == {"a": QUARANTINE}, "the control: what is needed is not there"


def test_silence_is_said_of_the_last_pod_of_each_ordinal_and_changes_nothing() -> None:
    books = Books()

    def silent() -> list[tuple[str, int, int]]:
        found = containing.usage(books.account, namespace="agents", policy="researcher", now=books.now).silent
        return [(one.pod, one.ordinal, one.seconds) for one in found]

    books.sync("a")
    second = books.sync("b", ordinal=1, replicas=2)
    books.now += 29 * SECOND
    assert silent() == []
    books.now += SECOND
    assert silent() == [("a", 0, 30), ("b", 1, 30)]
    books.sync("b", second.session, 2, ordinal=1, replicas=2)
    books.sync("c")
    assert silent() == []
    books.now += 10 * MINUTE
    assert silent() == [("c", 0, 600), ("b", 1, 600)]
    assert (books.due(), books.kills) == ({}, 0)


def test_an_account_that_contains_nothing_is_written_as_the_release_before_reads_it() -> None:
    books = Books()
    books.sync("a")
    assert json.loads(stored.dump(books.account))["version"] == 2
    books.breach("a")
    document = json.loads(stored.dump(books.account))
    assert document["version"] == 3
    before = {key: value for key, value in document.items() if key != "conduct"} | {"version": 2}
    assert stored.parse(json.dumps(before).encode()) == replace(books.account, conduct=conduct.Conduct())


def test_what_is_told_is_what_a_watchdog_reads() -> None:
    books = Books()
    books.post(Action.CUT)
    answer = books.sync("a")
    assert Synced.parse(answer.dump()).orders == (Order(NOON, Action.CUT, "Manual"),)
