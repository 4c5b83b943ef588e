"""Calls reserve of all their meters or of none, and are charged once, whatever happens to them and to the ledger."""

import random
from dataclasses import dataclass, field, replace

import pytest

from zaum_api import contract, documents
from zaum_api.documents import Kind, Lease, Meter, Share, Synced, Used, Window
from zaum_watchdog.core.limits import slices
from zaum_watchdog.core.limits.recent import SECOND
from zaum_watchdog.core.limits.reservations import TOLD, Books, Refused, Reservation
from zaum_watchdog.core.limits.shares import MINUTE, Place

ALONE = Place(replicas=1, ordinal=0)
RATE = Meter("policy", Kind.REQUESTS, Window.MINUTE, 60, 3)
TPM = Meter("route/openai", Kind.TOKENS, Window.MINUTE, 1000)
TPD = Meter("policy", Kind.TOKENS, Window.DAY, 10_000)
COST = Meter("policy", Kind.COST, Window.DAY, 500)
PLACES = Meter("policy", Kind.CONNECTIONS, Window.NOW, 4)
ALL = (RATE, TPM, TPD, COST, PLACES)
FAR = 10 * MINUTE


def hear(
    books: Books,
    *leases: tuple[Meter, str, int],
    returned: tuple[str, ...] = (),
    refused: tuple[documents.Refused, ...] = (),
    shares: tuple[Share, ...] = (),
    usage: tuple[Used, ...] = (),
    sent: int = 0,
    now: int = 0,
) -> None:
    granted = tuple(Lease(name, meter.id, amount, 120) for meter, name, amount in leases)
    books.hear(
        Synced("s", 1, leases=granted, refused=refused, shares=shares, usage=usage),
        returned=returned,
        sent=sent,
        now=now,
    )


def fresh(*meters: Meter) -> Books:
    books = Books(meters or ALL, ALONE, 0)
    hear(books)
    return books


def reserve(books: Books, call: int = 1, now: int = 0, until: int = FAR, **amounts: int) -> Reservation | Refused:
    meters = {"rate": RATE, "tpm": TPM, "tpd": TPD, "cost": COST}
    return books.reserve(call, {meters[name].id: amount for name, amount in amounts.items()}, now=now, until=until)


def short(books: Books, call: int = 1, now: int = 0, **amounts: int) -> Refused:
    found = reserve(books, call, now, **amounts)
    assert isinstance(found, Refused)
    return found


def got(books: Books, call: int = 1, now: int = 0, until: int = FAR, **amounts: int) -> bool:
    return isinstance(reserve(books, call, now, until, **amounts), Reservation)


def spent(books: Books, now: int = 0) -> dict[str, int]:
    return {item.lease: item.amount for item in books.report(now).spent}


def test_i07_nothing_of_a_budget_is_spent_without_a_lease() -> None:
    refused = short(fresh(), cost=1)
    assert refused == Refused(COST, left=0, leased=True)
    assert refused.rule is contract.Rule.LEDGER_UNAVAILABLE


def test_i07_no_meter_is_touched_where_one_of_them_has_not_enough() -> None:
    books = fresh()
    hear(books, (COST, "a", 100), (TPD, "b", 100))
    assert short(books, rate=1, tpm=500, tpd=100, cost=101).meter is COST
    assert short(books, rate=1, tpm=1001, tpd=1, cost=1).meter is TPM
    assert all(got(books, call, rate=1) for call in (1, 2, 3))
    assert got(books, 4, tpm=1000, tpd=100, cost=100)


def test_a_call_is_charged_what_it_used_and_the_rest_is_free_again() -> None:
    books = fresh()
    hear(books, (COST, "a", 100))
    assert got(books, 1, cost=80)
    assert not got(books, 2, cost=30)
    assert books.settle(1, {COST.id: 25}, 0)
    assert spent(books) == {"a": 25}
    assert got(books, 2, cost=75)


def test_i07_a_call_is_charged_once() -> None:
    books = fresh()
    hear(books, (COST, "a", 100))
    got(books, 1, cost=80)
    assert books.settle(1, {COST.id: 25}, 0)
    assert not books.settle(1, {COST.id: 25}, 0)
    assert books.expire(FAR) == []
    assert spent(books) == {"a": 25}


def test_i07_a_reservation_that_nobody_settles_is_charged_whole_at_its_deadline() -> None:
    books = fresh()
    hear(books, (COST, "a", 100))
    got(books, 1, until=SECOND, tpm=400, cost=80)
    assert books.expire(SECOND - 1) == []
    assert books.expire(SECOND) == [1]
    assert spent(books, SECOND) == {"a": 80}
    assert short(books, 2, now=SECOND, tpm=601).meter is TPM
    assert got(books, 2, now=SECOND, tpm=600)


def test_what_is_not_said_of_a_meter_is_all_of_it() -> None:
    books = fresh()
    hear(books, (COST, "a", 100), (TPD, "b", 100))
    got(books, 1, tpd=60, cost=80)
    books.settle(1, {TPD.id: 5}, 0)
    assert spent(books) == {"a": 80, "b": 5}


def test_i07_what_was_used_beyond_the_reservation_is_owed_and_paid_first() -> None:
    books = fresh()
    hear(books, (COST, "a", 100))
    got(books, 1, cost=80)
    books.settle(1, {COST.id: 130}, 0)
    report = books.report(0)
    assert report.spent == (documents.Spent("a", 100),)
    assert next(want.amount for want in report.wants if want.meter == COST.id) >= 30
    hear(books, (COST, "b", 50), returned=report.returned)
    assert spent(books) == {"b": 30}
    assert short(books, 2, cost=21).left == 20


def test_several_slices_are_one_amount() -> None:
    books = fresh()
    hear(books, (COST, "a", 40), (COST, "b", 40))
    assert got(books, 1, cost=60)
    books.settle(1, {COST.id: 50}, 0)
    assert sum(spent(books).values()) == 50
    assert got(books, 2, cost=30)


def test_the_same_answer_twice_is_one() -> None:
    books = fresh()
    hear(books, (COST, "a", 40))
    hear(books, (COST, "a", 40))
    assert short(books, cost=41).left == 40


# Leases end.


def test_i07_a_lease_is_used_no_longer_than_its_seconds_from_when_it_was_asked_for() -> None:
    books = fresh()
    hear(books, (COST, "a", 100), sent=10 * SECOND, now=12 * SECOND)
    assert got(books, 1, now=130 * SECOND - 1, cost=10)
    assert not got(books, 2, now=130 * SECOND, cost=10)


def test_every_answer_gives_a_lease_its_seconds_anew_unless_they_had_run_out() -> None:
    books = fresh()
    hear(books, (COST, "a", 100))
    hear(books, sent=100 * SECOND, now=101 * SECOND)
    assert got(books, 1, now=219 * SECOND, cost=10)
    hear(books, sent=221 * SECOND, now=221 * SECOND)
    assert not got(books, 2, now=221 * SECOND, cost=10)


def test_a_call_that_outlives_its_lease_tells_the_truth_when_it_ends() -> None:
    books = fresh()
    hear(books, (COST, "a", 100))
    got(books, 1, cost=80)
    late = 200 * SECOND
    assert books.report(late).returned == ()
    books.settle(1, {COST.id: 7}, late)
    report = books.report(late)
    assert (report.spent, report.returned) == ((documents.Spent("a", 7),), ("a",))


def test_what_is_given_back_is_used_no_more_and_forgotten_when_that_was_heard() -> None:
    books = fresh()
    hear(books, (COST, "a", 100))
    idle = slices.IDLE
    assert books.report(idle - 1).returned == ()
    assert books.report(idle).returned == ("a",)
    assert not got(books, 1, now=idle, cost=1)
    assert books.report(idle).returned == ("a",)
    hear(books, returned=("a",), sent=idle, now=idle)
    assert books.report(idle).spent == ()


def test_a_slice_is_not_given_back_while_somebody_waits_for_more_of_it() -> None:
    books = fresh()
    hear(books, (COST, "a", 10))
    assert not got(books, 1, now=slices.IDLE, cost=50)
    books.wait(1, {COST.id: 50})
    assert books.report(slices.IDLE).returned == ()


def test_a_lost_session_takes_its_leases_with_it() -> None:
    books = fresh()
    hear(books, (COST, "a", 100))
    got(books, 1, cost=80)
    books.lost()
    assert not got(books, 2, cost=1)
    assert books.settle(1, {COST.id: 10}, 0)
    assert books.report(0).spent == ()


# Waiting.


def test_who_waits_is_wanted_for_and_nobody_overtakes_him() -> None:
    books = fresh()
    hear(books, (COST, "a", 60))
    amounts = {COST.id: 100}
    assert short(books, 1, cost=100).leased
    books.wait(1, amounts)
    assert short(books, 2, cost=50).leased
    books.wait(2, {COST.id: 50})
    assert [want for want in books.report(0).wants if want.meter == COST.id] == [documents.Want(COST.id, 90)]
    assert books.waiting == (1, 2)
    hear(books, (COST, "b", 40))
    assert not got(books, 2, cost=50)
    assert got(books, 1, cost=100)
    books.give_up(2)
    assert not books.waiting


def test_a_call_that_waits_asks_once() -> None:
    books = fresh()
    for _ in range(5):
        reserve(books, 1, rate=1, cost=10)
        books.wait(1, {RATE.id: 1, COST.id: 10})
    (demand,) = [demand for demand in books.report(0).demand if demand.meter == RATE.id]
    assert (demand.used, demand.asked) == (0, 1)


def test_the_ledgers_no_is_the_budgets_and_says_when_to_come_again() -> None:
    books = fresh()
    hear(books, (COST, "a", 20), refused=(documents.Refused(COST.id, 30, 3600),))
    refused = short(books, 1, cost=100)
    assert refused == Refused(COST, left=50, wait=3600 * SECOND)
    assert refused.rule is contract.Rule.COST_PER_DAY
    assert short(books, 1, cost=40).leased
    hear(books)
    assert short(books, 1, cost=100).leased


def test_what_is_needed_is_what_was_refused_for_good_and_not_what_is_wanted() -> None:
    books = fresh(COST)
    hear(books, (COST, "a", 200))
    assert got(books, 1, cost=200)
    books.settle(1, {COST.id: 200}, 0)
    report = books.report(0)
    assert (report.wants, report.needs) == ((documents.Want(COST.id, 400),), ())
    hear(books, refused=(documents.Refused(COST.id, 100, 3600),))
    assert short(books, 2, cost=200) == Refused(COST, left=100, wait=3600 * SECOND)
    assert short(books, 2, cost=90).leased
    books.wait(2, {COST.id: 90})
    report = books.report(0)
    assert (report.wants, report.needs) == ((documents.Want(COST.id, 90),), ()), "a shorter one waits for what is left"
    books.give_up(2)
    assert books.refuse(COST.id, 150, 0)
    assert books.refuse(COST.id, 120, 0)
    assert books.report(0).needs == (documents.Want(COST.id, 150),), "the most of them"
    assert books.report(0).needs == (), "once"


def test_the_ledger_is_told_at_once_now_and_then_and_else_with_the_next_sync() -> None:
    books = fresh(COST)
    assert books.refuse(COST.id, 150, 0)
    assert books.report(0).needs
    assert not books.refuse(COST.id, 150, TOLD - 1)
    assert books.report(TOLD - 1).needs == (documents.Want(COST.id, 150),)
    assert not books.refuse(COST.id, 150, TOLD)
    assert books.refuse(COST.id, 150, 2 * TOLD - 1)
    books.report(2 * TOLD)
    books.lost()
    assert books.refuse(COST.id, 150, 2 * TOLD), "another session, which has heard nothing"


def test_what_says_nothing_of_a_budget_is_not_told() -> None:
    books = fresh(COST, TPM)
    assert not books.refuse(COST.id, COST.limit + 1, 0), "it could never fit"
    assert not books.refuse(TPM.id, 1, 0), "a rate"
    assert not books.refuse("policy:none", 1, 0)
    assert books.report(0).needs == ()
    assert books.refuse(COST.id, COST.limit, 0), "the control"
    books.retune((replace(COST, limit=COST.limit - 1),), ALONE, 0)
    assert books.report(0).needs == (), "of another limit"
    assert books.refuse(COST.id, 1, 0)
    books.retune((TPM,), ALONE, 0)
    assert books.report(0).needs == (), "of none"


def test_what_is_owed_is_needed() -> None:
    books = fresh(COST)
    hear(books, (COST, "a", 100))
    assert got(books, 1, cost=100)
    books.settle(1, {COST.id: 130}, 0)
    assert books.report(0).needs == (documents.Want(COST.id, 30),)


def test_more_than_the_limit_is_never_to_be_had() -> None:
    books = fresh()
    assert short(books, cost=501) == Refused(COST, left=0)
    assert short(books, tpm=1001) == Refused(TPM, left=1000)
    assert short(books, tpm=1001).rule is contract.Rule.TOKENS_PER_MINUTE


def test_a_rate_says_how_long_to_wait() -> None:
    books = fresh()
    assert all(got(books, call, rate=1) for call in (1, 2, 3))
    refused = short(books, 4, rate=1)
    assert (refused.wait, refused.rule) == (SECOND, contract.Rule.REQUESTS_PER_MINUTE)


def test_the_next_seconds_are_asked_for_ahead() -> None:
    books = fresh()
    hear(books, (TPD, "a", 1000))
    books.report(0)
    got(books, 1, tpd=900)
    books.settle(1, {TPD.id: 900}, SECOND)
    assert [want for want in books.report(3 * SECOND).wants if want.meter == TPD.id] == [
        documents.Want(TPD.id, 900 + 900 - 100)
    ]


def test_meters_that_are_not_there_do_not_limit() -> None:
    books = fresh(COST)
    assert got(books, 1, rate=1, tpm=10**9, tpd=10**9)
    assert books.settle(1, {}, 0)


def test_a_changed_document_keeps_what_is_spent() -> None:
    books = fresh()
    hear(books, (COST, "a", 100))
    got(books, 1, tpm=900, cost=60)
    books.retune([TPM, COST], ALONE, 0)
    assert short(books, 2, tpm=101).meter is TPM
    assert short(books, 2, cost=41).left == 40
    books.retune([], ALONE, 0)
    assert got(books, 3, tpm=10**9, cost=10**9)
    assert books.settle(1, {}, 0)


def test_leases_of_a_meter_that_the_document_names_no_more_go_back() -> None:
    books = fresh(TPD, COST)
    hear(books, (TPD, "t", 100), (COST, "c", 100))
    reserve(books, 1, tpd=10, cost=10)
    reserve(books, 2, cost=10)
    books.settle(2, {COST.id: 4}, 0)
    books.retune([TPD], ALONE, 0)
    assert "c" not in books.report(0).returned, "a call holds some of it"
    hear(books, (COST, "d", 50))
    books.settle(1, {COST.id: 3}, 0)
    report = books.report(0)
    assert report.returned == ("c", "d"), "also one that was on its way"
    assert documents.Spent("c", 7) in report.spent
    hear(books, returned=report.returned)
    assert [spent.lease for spent in books.report(0).spent] == ["t"]


def test_a_meter_that_comes_back_has_what_it_held() -> None:
    books = fresh(COST)
    hear(books, (COST, "c", 100))
    books.retune([], ALONE, 0)
    books.retune([COST], ALONE, 0)
    assert isinstance(reserve(books, cost=100), Reservation)


def test_i07_an_answer_to_what_was_said_before_a_change_gives_nothing_more() -> None:
    books, two = Books([TPM], Place(2, 0), 0), Place(2, 0)
    hear(books)
    books.report(0)
    books.retune([Meter("route/openai", Kind.TOKENS, Window.MINUTE, 4000)], two, 0)
    hear(books, shares=(Share(TPM.id, 3000, 0, 15),))
    assert short(books, tpm=501).left == 500, "as before"
    hear(books, shares=(Share(TPM.id, 100, 0, 15),))
    assert short(books, tpm=501).left == 100, "but less is less"
    books.report(0)
    hear(books)
    assert isinstance(reserve(books, tpm=2000), Reservation)


def test_headers_say_what_is_left() -> None:
    books = fresh()
    hear(books, (COST, "a", 100), usage=(Used(COST.id, 400, 500, 3600),))
    got(books, 1, rate=1, tpm=300, cost=60)
    books.places[PLACES.id].take()
    left = {state.told.id: (state.left, state.seconds) for state in books.states([meter.id for meter in ALL], 0)}
    assert left == {
        RATE.id: (2, 60), TPM.id: (700, 60), TPD.id: (TPD.limit, 0), COST.id: (140, 3600), PLACES.id: (3, 0),
    }  # fmt: skip


def budgets(books: Books) -> dict[str, int]:
    return {state.told.id: state.left for state in books.states([TPD.id, COST.id], 0)}


def test_a_budget_of_which_nothing_is_used_is_whole_and_one_of_which_nobody_told_is_not_named() -> None:
    books = Books((COST,), ALONE, 0)
    assert budgets(books) == {}, "the ledger has not answered yet"
    hear(books)
    assert budgets(books) == {COST.id: COST.limit}
    books.report(0)
    books.retune((COST, TPD), ALONE, 0)
    hear(books)
    assert budgets(books) == {COST.id: COST.limit}, "it was not asked about the other one"
    books.report(0)
    hear(books, usage=(Used(COST.id, COST.limit, COST.limit, 60),))
    assert budgets(books) == {COST.id: 0, TPD.id: TPD.limit}


# All of it, at random, against a ledger that gives no more than there is and that answers, or does not.


@dataclass
class Ledger:
    """Grants slices of one budget. Written for the test alone: a lease is charged whole until it is given back."""

    limit: int
    leases: dict[str, int] = field(default_factory=dict)
    until: dict[str, int] = field(default_factory=dict)
    charged: int = 0
    made: int = 0

    def out(self) -> int:
        return sum(self.leases.values())

    def sync(self, said: dict[str, int], returned: tuple[str, ...], want: int, now: int) -> tuple[Lease, ...]:
        for lease in returned:
            if lease in self.leases:
                assert said[lease] <= self.leases.pop(lease), "more was spent than the lease had"
                self.charged += said[lease]
        amount = min(want, self.limit - self.charged - self.out())
        if amount <= 0:
            return ()
        self.made += 1
        self.leases[f"l{self.made}"] = amount
        return (Lease(f"l{self.made}", COST.id, amount, 120),)


@pytest.mark.parametrize("seed", [3, 5, 8, 13])
def test_i07_no_order_of_events_spends_more_than_was_leased(seed: int) -> None:  # noqa: PLR0912 - a case an event
    """30,000 steps for each of four seeds: calls, settlements, lost syncs and lost answers, silence, lost sessions."""
    dice = random.Random(seed)
    limit = 80_000
    meter = Meter("policy", Kind.COST, Window.DAY, limit)
    books, ledger = Books([meter], ALONE, 0), Ledger(limit)
    live: dict[int, tuple[int, int]] = {}
    now, call, used_in_all, beyond = 0, 0, 0, 0
    unheard: tuple[Synced, tuple[str, ...]] | None = None
    for _ in range(30_000):
        now += dice.choice([0, 0, SECOND // 100, SECOND, 7 * SECOND])
        for late in books.expire(now):
            amount, until = live.pop(late)
            assert until <= now
            used_in_all += amount
        assert all(until > now for _, until in live.values())
        match dice.randrange(8):
            case 0 | 1 | 2:
                call += 1
                amount, until = dice.randrange(1, 200), now + dice.randrange(1, 400) * SECOND
                found = books.reserve(call, {meter.id: amount}, now=now, until=until)
                if isinstance(found, Reservation):
                    live[call] = (amount, until)
                elif found.leased and dice.random() < 0.5:
                    books.wait(call, {meter.id: amount})
            case 3 | 4 if live:
                ended = dice.choice(list(live))
                amount, _ = live.pop(ended)
                used = dice.randrange(amount + 1)
                if dice.random() < 0.02:
                    used += 50
                    beyond += 50
                assert books.settle(ended, {meter.id: used}, now)
                assert not books.settle(ended, {meter.id: 0}, now)
                used_in_all += used
            case 5 | 7 if len(books.waiting) > 3:
                books.give_up(dice.choice(books.waiting))
            case 6 if unheard is not None:  # Sent again as it was, and answered as before.
                books.hear(unheard[0], returned=unheard[1], sent=now, now=now)
                unheard = None
            case 6:
                report = books.report(now)
                said = {item.lease: item.amount for item in report.spent}
                assert all(0 <= amount <= ledger.leases.get(name, amount) for name, amount in said.items())
                want = sum(want.amount for want in report.wants)
                sent, now = now, now + dice.choice([0, 0, 0, 0, SECOND, 130 * SECOND])
                answer = Synced("s", 1, leases=ledger.sync(said, report.returned, want, now))
                if dice.random() < 0.9:
                    books.hear(answer, returned=report.returned, sent=sent, now=now)
                else:
                    unheard = (answer, report.returned)
            case 7 if dice.random() < 0.01:
                unheard = None
                books.lost()  # What was leased stays charged whole: the ledger hears of it no more.
            case _:
                pass
        assert used_in_all <= ledger.charged + ledger.out() + beyond, f"seed {seed}"
        assert ledger.charged + ledger.out() <= limit
    assert used_in_all > limit // 2, "too little happened"


def test_i07_calls_at_the_same_time_do_not_pass_a_limit_that_each_of_them_alone_would_keep() -> None:
    """The race of limiters that look first and charge later: BerriAI/litellm issue 18730, 663 tokens through 100."""
    limit = Meter("policy", Kind.TOKENS, Window.MINUTE, 100)
    books = fresh(limit)
    begun = [
        call for call in range(50) if isinstance(books.reserve(call, {limit.id: 30}, now=0, until=FAR), Reservation)
    ]
    assert begun == [0, 1, 2]
    for call in begun:
        books.settle(call, {limit.id: 13}, SECOND)
    more = [
        call
        for call in range(50, 99)
        if isinstance(books.reserve(call, {limit.id: 30}, now=SECOND, until=FAR), Reservation)
    ]
    assert more == [50, 51]
    assert 3 * 13 + 2 * 30 <= 100


def test_a_throttled_agent_has_a_tenth_of_a_minutes_tokens() -> None:
    books = fresh()
    books.throttle(10)
    assert short(books, tpm=101) == Refused(TPM, left=100, wait=MINUTE)
    assert got(books, 2, tpm=100)
    assert short(books, 3, tpm=1).left == 0
    books.throttle(1)
    assert got(books, 4, tpm=900), "what is spent is spent"
    assert short(books, 5, tpm=1).left == 0


def test_a_share_that_the_ledger_says_is_divided_too() -> None:
    books = Books(ALL, Place(replicas=2, ordinal=0), 0)
    books.throttle(10)
    hear(books, shares=(Share(TPM.id, 800, 0, 120),))
    assert short(books, tpm=81).left == 80
    books.retune(ALL, Place(replicas=2, ordinal=0), 0)
    assert short(books, 2, tpm=81).left == 50, "a changed document gives the floor, and it stays divided"


def test_what_is_told_of_a_minute_is_what_is_left_to_a_throttled_agent() -> None:
    books = Books(ALL, Place(replicas=2, ordinal=0), 0)
    hear(books, shares=(Share(TPM.id, 800, 0, 120),))
    told = [(state.left, state.most) for state in books.states((TPM.id,), SECOND)]
    books.throttle(10)
    assert (told, [(state.left, state.most) for state in books.states((TPM.id,), SECOND)]) == ([(800, 800)], [(80, 80)])
