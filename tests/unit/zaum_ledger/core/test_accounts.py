"""One policy's account, told as a transcript: who says what when, and what it is answered."""

from dataclasses import replace
from typing import Any

import pytest

from zaum_api.documents import (
    LEASES_MAX,
    Counters,
    Demand,
    Kind,
    Meter,
    Refusal,
    Spent,
    Sync,
    Synced,
    Used,
    Want,
    Window,
    synced,
)
from zaum_ledger.core import accounts
from zaum_ledger.core.accounts import Account
from zaum_ledger.core.windows import DAY, HOUR, MINUTE, SECOND

MIDNIGHT = 20_000 * DAY
NOON = MIDNIGHT + DAY // 2
TOKENS = Meter("policy", Kind.TOKENS, Window.DAY, 1000)
BYTES = Meter("policy", Kind.BYTES_OUT, Window.HOUR, 500)
RATE = Meter("policy", Kind.REQUESTS, Window.MINUTE, 60, 10)
MINUTELY = Meter("policy", Kind.TOKENS, Window.MINUTE, 100)
CONNECTIONS = Meter("policy", Kind.CONNECTIONS, Window.NOW, 8)
METERS = (TOKENS, BYTES, RATE, MINUTELY, CONNECTIONS)
SILENT = synced.LEASE_SECONDS * SECOND + 5 * SECOND


class Books:
    """An account and its time, spoken to by pods."""

    def __init__(self, now: int = NOON) -> None:
        self.account, self.now, self.serving = Account(), now, now - HOUR

    def sync(self, pod: str = "a", **said: Any) -> Any:
        whole = {"session": "", "sequence": 1, "generation": 1, "replicas": 1, "ordinal": 0, "meters": METERS, **said}
        request = accounts.Request(pod, Sync(config="sha256:0", **whole), self.serving)
        self.account, answer = accounts.sync(self.account, request, self.now)
        return answer

    def open(self, pod: str = "a", **said: Any) -> "Pod":
        answer = self.sync(pod, **said)
        assert isinstance(answer, Synced)
        return Pod(self, pod, answer.session, said)

    def used(self, meter: Meter = TOKENS) -> int:
        book = accounts.at(self.account, self.now).books.get(meter.id)
        return book.used(self.now) if book else 0


class Pod:
    """A pod with a session, which counts its sequence."""

    def __init__(self, books: Books, uid: str, session: str, said: dict[str, Any]) -> None:
        self.books, self.uid, self.session, self.said, self.sequence = books, uid, session, said, 1

    def sync(self, **said: Any) -> Any:
        self.sequence += 1
        return self.books.sync(self.uid, session=self.session, **{"sequence": self.sequence, **self.said, **said})

    def lease(self, amount: int, meter: Meter = TOKENS) -> str:
        (lease,) = self.sync(wants=(Want(meter.id, amount),)).leases
        lasts = synced.BYTES_LEASE_SECONDS if meter is BYTES else synced.LEASE_SECONDS
        assert (lease.meter, lease.amount, lease.seconds) == (meter.id, amount, lasts)
        return str(lease.id)


def test_what_is_wanted_is_lent_and_counts_at_once() -> None:
    books = Books()
    books.open().lease(400)

    assert books.used() == 400


def test_i07_the_first_sync_of_a_session_gets_no_lease() -> None:
    books = Books()

    assert books.sync(wants=(Want(TOKENS.id, 1),)).leases == ()
    assert books.used() == 0


def test_i07_what_does_not_fit_is_refused_with_what_is_left_and_when_more_comes() -> None:
    books = Books()
    pod = books.open()
    lease = pod.lease(900)

    answer = pod.sync(wants=(Want(TOKENS.id, 101),))
    assert (answer.leases, answer.refused) == ((), (synced.Refused(TOKENS.id, 100, 10),))
    answer = pod.sync(spent=(Spent(lease, 900),), returned=(lease,), wants=(Want(TOKENS.id, 101),))
    assert answer.refused == (synced.Refused(TOKENS.id, 100, 12 * 3600),)


def test_i07_a_limit_of_zero_and_a_meter_that_is_not_configured_lend_nothing() -> None:
    books = Books()
    pod = books.open(meters=(replace(TOKENS, limit=0), RATE))

    answer = pod.sync(wants=(Want(TOKENS.id, 1), Want(BYTES.id, 1), Want(RATE.id, 1)))
    assert answer.leases == ()
    assert answer.refused == tuple(synced.Refused(meter.id, 0, 86_400) for meter in (TOKENS, BYTES, RATE))


def test_i07_two_pods_cannot_both_have_the_last_unit() -> None:
    books = Books()
    first, second = books.open("a"), books.open("b", ordinal=1)
    first.lease(1000)

    assert second.sync(wants=(Want(TOKENS.id, 1),)).leases == ()


def test_i07_a_check_then_charge_race_of_663_tokens_through_a_limit_of_100_ends_at_100() -> None:
    """What limiters that check before a call and charge after it let through: 13 calls of 51 tokens at once."""
    books = Books()
    pods = [books.open(f"pod-{number}", ordinal=number, meters=(replace(TOKENS, limit=100),)) for number in range(13)]
    lent = [pod.sync(wants=(Want(TOKENS.id, 51),)).leases for pod in pods]

    assert sum(lease.amount for leases in lent for lease in leases) == 51


def test_i07_a_repeated_sync_gets_the_same_answer_and_changes_nothing() -> None:
    books = Books()
    pod = books.open()
    first = pod.sync(wants=(Want(TOKENS.id, 400),))
    used = books.used()

    assert pod.sync(wants=(Want(TOKENS.id, 400),), sequence=2) == first
    assert books.used() == used == 400


def test_i07_a_sync_that_comes_late_is_refused_and_changes_nothing() -> None:
    books = Books()
    pod = books.open()
    lease = pod.lease(600)
    pod.sync(spent=(Spent(lease, 10),))

    assert isinstance(pod.sync(sequence=2, returned=(lease,)), accounts.Refused)
    assert books.used() == 600


@pytest.mark.parametrize(("pod", "session"), [("b", None), ("a", "f00.1")])
def test_a_session_is_its_pods_alone(pod: str, session: str | None) -> None:
    books = Books()
    opened = books.open("a")

    assert books.sync(pod, session=session or opened.session, sequence=2).refusal is Refusal.SESSION


def test_i07_a_pod_cannot_spend_or_return_the_lease_of_another() -> None:
    books = Books()
    lease = books.open("a").lease(600)
    books.open("b", ordinal=1).sync(spent=(Spent(lease, 0),), returned=(lease,))

    assert books.used() == 600


def test_i07_a_silent_pod_is_charged_whole_and_once() -> None:
    books = Books()
    lease = books.open().lease(600)
    other = books.open("b", ordinal=1)
    books.now += SILENT
    other.sync()

    assert not accounts.at(books.account, books.now).books[TOKENS.id].leases[lease].left
    assert books.used() == 600
    books.now += DAY
    assert books.used() == 0


def test_a_pod_that_speaks_again_corrects_what_was_assumed() -> None:
    books = Books()
    pod = books.open()
    lease = pod.lease(600)
    books.now += SILENT
    pod.sync(spent=(Spent(lease, 250),))
    assert books.used() == 600

    pod.sync(spent=(Spent(lease, 250),), returned=(lease,))
    assert books.used() == 250
    pod.sync(spent=(Spent(lease, 250),), returned=(lease,))
    assert books.used() == 250


def test_every_sync_gives_leases_their_time_anew() -> None:
    books = Books()
    pod = books.open()
    lease = pod.lease(600)
    for _ in range(5):
        books.now += SILENT - SECOND
        pod.sync()

    assert books.account.books[TOKENS.id].leases[lease].left == 600


def test_i07_a_ledger_that_was_away_takes_nobody_for_silent() -> None:
    books = Books()
    pod = books.open()
    lease = pod.lease(600)
    books.now += HOUR
    books.serving = books.now
    books.open("b", ordinal=1)

    assert books.account.books[TOKENS.id].leases[lease].left == 600


def test_i07_books_outlive_the_policy_and_meet_the_next_one_of_its_name() -> None:
    books = Books()
    pod = books.open(generation=7)
    lease = pod.lease(900)
    pod.sync(spent=(Spent(lease, 900),), returned=(lease,))
    books.now += 2 * HOUR
    assert not accounts.gone(books.account, books.now)

    again = books.open("b", generation=1)
    assert again.sync(wants=(Want(TOKENS.id, 101),)).leases == ()
    assert again.lease(100)


def test_books_are_forgotten_when_every_window_has_ended() -> None:
    books = Books()
    books.open().lease(900)

    assert not accounts.gone(books.account, MIDNIGHT + DAY - 1)
    assert accounts.gone(books.account, MIDNIGHT + DAY)


def test_i07_the_account_never_goes_back_in_time() -> None:
    books = Books(MIDNIGHT + 1)
    pod = books.open()
    lease = pod.lease(1000)
    pod.sync(spent=(Spent(lease, 1000),), returned=(lease,))
    books.now -= HOUR

    assert pod.sync(wants=(Want(TOKENS.id, 1),)).leases == ()
    assert books.account.time == MIDNIGHT + 1


@pytest.mark.parametrize(
    ("others", "own", "limit"),
    [
        pytest.param([(2, 300)], (1, 1000), 300, id="the newest configuration's limit binds the others"),
        pytest.param([(2, 2000)], (1, 1000), 1000, id="nobody gets more than its own configuration says"),
        pytest.param([(2, 300), (2, 200)], (2, 900), 200, id="the lowest one of the newest"),
        pytest.param([(1, 200)], (2, 900), 900, id="what an older one says binds nobody else"),
    ],
)
def test_i07_the_lowest_limit_of_the_newest_configuration_counts(
    others: list[tuple[int, int]], own: tuple[int, int], limit: int
) -> None:
    books = Books()
    for number, (generation, most) in enumerate(others):
        books.open(f"o{number}", ordinal=number + 1, generation=generation, meters=(replace(TOKENS, limit=most),))
    pod = books.open("own", generation=own[0], meters=(replace(TOKENS, limit=own[1]),))

    assert pod.sync(wants=(Want(TOKENS.id, limit + 1),)).leases == ()
    assert pod.lease(limit)


def test_i07_a_session_holds_a_bounded_number_of_leases() -> None:
    books = Books()
    pod = books.open(meters=(replace(TOKENS, limit=10**9),))
    for _ in range(LEASES_MAX):
        pod.lease(1)

    assert pod.sync(wants=(Want(TOKENS.id, 1),)).leases == ()


def test_what_is_restored_is_charged_for_all_that_was_lent_and_gives_no_name_twice() -> None:
    books = Books()
    pod = books.open()
    lease = pod.lease(600)
    pod.sync(spent=(Spent(lease, 10),))
    books.account = accounts.restored(books.account, books.now + 1)
    books.now += 1

    assert books.used() == 600
    assert pod.sync().refusal is Refusal.SESSION
    assert books.open("a").session != pod.session


@pytest.mark.parametrize(
    ("away", "serving", "carried"),
    [
        pytest.param(30, 3600, True, id="another pod of this ordinal was there half a minute ago"),
        pytest.param(101, 3600, False, id="no pod of this ordinal has been there for long"),
        pytest.param(101, 50, True, id="the ledger itself has not been there for long"),
    ],
)
def test_i07_a_new_pod_has_spent_what_the_one_before_it_may_have(away: int, serving: int, carried: bool) -> None:
    books = Books()
    books.open("a")
    books.now += away * SECOND
    books.serving = books.now - serving * SECOND
    shares = {share.meter: share for share in books.sync("b").shares}

    assert {meter: share.carried for meter, share in shares.items()} == (
        {RATE.id: 60, MINUTELY.id: 100} if carried else {}
    )


def carried(answer: Synced) -> dict[str, int]:
    return {share.meter: share.carried for share in answer.shares if share.carried}


ALL = {RATE.id: 60, MINUTELY.id: 100}


@pytest.mark.parametrize(
    ("made", "spent"),
    [
        pytest.param(11, {}, id="after the ledger began to serve"),
        pytest.param(40, {}, id="just now"),
        pytest.param(49, {}, id="just now by a clock that is a little ahead"),
        pytest.param(10, ALL, id="perhaps before, by another clock"),
        pytest.param(0, ALL, id="as the ledger began to serve"),
        pytest.param(-500, ALL, id="before"),
        pytest.param(51, ALL, id="later than now: the clocks differ, and nothing is known"),
        pytest.param(-NOON // SECOND, ALL, id="nobody says"),
    ],
)
def test_i07_pods_of_a_policy_that_never_ran_have_spent_nothing(made: int, spent: dict[str, int]) -> None:
    books = Books()
    books.serving = NOON
    books.now = NOON + 40 * SECOND
    created = NOON // SECOND + made
    assert carried(books.sync("a", created=created)) == spent
    assert carried(books.sync("a", created=created, replicas=2, ordinal=1)) == {
        meter: amount // 2 for meter, amount in spent.items()
    }, "nor has its second pod"


@pytest.mark.parametrize("created", [NOON // SECOND + 20, NOON // SECOND + 40])
def test_i07_a_policy_that_is_made_anew_has_spent_what_the_one_before_it_has(created: int) -> None:
    books = Books()
    books.serving = NOON
    books.now = NOON + 20 * SECOND
    assert carried(books.sync("a", created=NOON // SECOND - 500)) == ALL, "it may have run before the ledger did"
    books.now = NOON + 40 * SECOND
    assert carried(books.sync("b", created=created)) == ALL
    assert carried(books.sync("c", created=created, replicas=2, ordinal=1)) == {RATE.id: 30, MINUTELY.id: 50}


def test_i07_a_pod_that_replaces_another_of_a_new_policy_has_spent_what_that_one_has() -> None:
    books = Books()
    books.serving, books.now = NOON, NOON + 40 * SECOND
    created = books.now // SECOND
    assert carried(books.sync("a", created=created)) == {}
    books.now += 5 * SECOND
    assert carried(books.sync("b", created=created)) == ALL


def test_i07_what_another_ledger_saw_from_its_making_on_is_spent_where_that_one_may_have_been_away() -> None:
    books = Books()
    books.serving, books.now = NOON, NOON + 40 * SECOND
    created = books.now // SECOND
    books.open("a", created=created)
    books.now += 200 * SECOND
    books.serving = NOON + 20 * SECOND
    assert carried(books.sync("b", created=created)) == {}, "nobody was heard for long, and a ledger was there"
    books.now += 200 * SECOND
    books.serving = books.now
    assert carried(books.sync("c", created=created)) == ALL, "pods may have spent while no ledger was there"


def amounts(answer: Synced) -> dict[str, int]:
    return {share.meter: share.amount for share in answer.shares}


def test_i07_pods_that_follow_a_changed_plan_one_by_one_are_together_within_the_limit() -> None:
    books = Books()
    old = [books.open(name, replicas=2, ordinal=ordinal) for ordinal, name in enumerate("ab")]
    new = books.sync("c", replicas=4, ordinal=2)
    assert amounts(new) == {RATE.id: 0, MINUTELY.id: 0, CONNECTIONS.id: 0}, "the others have all of it"
    new = Pod(books, "c", new.session, {"replicas": 4, "ordinal": 2})
    for pod in old:
        pod.said["replicas"] = 4
        assert amounts(pod.sync()) == {}, "its floor is the lesser one"
    assert amounts(new.sync()) == {RATE.id: 0, MINUTELY.id: 0, CONNECTIONS.id: 0}, "what they spent counts for a minute"
    books.now += 66 * SECOND
    assert amounts(new.sync()) == {}


def test_i07_fewer_pods_have_more_only_when_nobody_else_has_it() -> None:
    books = Books()
    stays, goes = (books.open(name, replicas=2, ordinal=ordinal) for ordinal, name in enumerate("ab"))
    stays.said["replicas"] = 1
    for _ in range(12):
        assert amounts(stays.sync()) == {RATE.id: 30, MINUTELY.id: 50, CONNECTIONS.id: 4}
        books.now += 10 * SECOND
        assert goes.session in books.account.sessions
    books.now += 10 * SECOND
    assert amounts(stays.sync()) == {}


def test_i07_a_promise_binds_also_who_has_a_smaller_floor_by_now() -> None:
    books = Books()
    idle, busy = books.open("a", replicas=2), books.open("b", replicas=2, ordinal=1)
    demand = (Demand(RATE.id, 30, 50),)
    for _ in range(3):
        busy.sync(demand=demand)
        lent = amounts(idle.sync(demand=(Demand(RATE.id, 0, 0),)))
    assert lent[RATE.id] < 30 < amounts(busy.sync(demand=demand))[RATE.id]
    busy.said["replicas"] = 3
    assert RATE.id not in amounts(busy.sync(demand=demand)), "nobody borrows while plans differ"
    assert amounts(idle.sync())[RATE.id] == max(0, lent[RATE.id] - 10)


def test_another_generation_of_the_same_limits_changes_nothing() -> None:
    books = Books()
    first, second = books.open("a", replicas=2), books.open("b", replicas=2, ordinal=1)
    first.said["generation"] = 2
    assert first.sync().shares == ()
    assert second.sync().shares == ()


def test_an_idle_pod_lends_to_a_busy_one_and_the_sum_stays_the_limit() -> None:
    books = Books()
    idle, busy = books.open("a", replicas=2), books.open("b", replicas=2, ordinal=1)
    demand = (Demand(RATE.id, 30, 50),)
    none = (Demand(RATE.id, 0, 0),)
    assert busy.sync(demand=demand).shares == ()
    lowered = idle.sync(demand=none).shares
    idle.sync(demand=none)
    raised = busy.sync(demand=demand).shares

    assert [(share.amount, share.burst, share.seconds) for share in lowered] == [(7, 5, 40)]
    assert [(share.amount, share.burst, share.seconds) for share in raised] == [(53, 5, 15)]


def test_a_pod_whose_part_of_the_burst_is_nothing_is_lent_one() -> None:
    books = Books()
    meters = (replace(RATE, burst=1),)
    idle = books.open("a", replicas=2, meters=meters)
    busy = books.open("b", replicas=2, ordinal=1, meters=meters)
    for _ in range(2):
        busy.sync(demand=(Demand(RATE.id, 0, 5),))
        lowered = idle.sync(demand=(Demand(RATE.id, 0, 0),)).shares
    raised = busy.sync(demand=(Demand(RATE.id, 0, 5),)).shares

    assert [(share.amount, share.burst) for share in lowered] == [(30, 0)]
    assert [(share.amount, share.burst) for share in raised] == [(30, 1)]


def test_a_single_pod_has_no_shares_to_be_told() -> None:
    books = Books()

    assert books.open().sync(demand=(Demand(RATE.id, 60, 90),)).shares == ()
    assert not books.account.lendings


def test_usage_names_every_meter_of_the_newest_configuration() -> None:
    books = Books()
    pod = books.open(counters=Counters(requests=5))
    pod.sync(demand=(Demand(RATE.id, 12, 12),), counters=Counters(requests=7, denied=1), wants=(Want(TOKENS.id, 5),))
    books.now += 3 * SECOND
    said = accounts.usage(books.account, namespace="n", policy="p", now=books.now)

    assert (said.pods, said.heard, said.counters) == (1, 3, Counters(requests=7, denied=1))
    assert said.meters[0] == Used(TOKENS.id, 5, 1000, 12 * 3600 - 3)
    assert Used(RATE.id, 12, 60, 0) in said.meters
    assert [one.meter for one in said.meters] == [meter.id for meter in METERS]


def test_counters_never_fall_whichever_pods_come_and_go() -> None:
    books = Books()
    books.open("a", counters=Counters(requests=5))
    books.now += 2 * HOUR
    pod = books.open("b", counters=Counters(requests=1))
    pod.sync(counters=Counters(requests=0))

    assert accounts.usage(books.account, namespace="n", policy="p", now=books.now).counters.requests == 6


def test_the_sliding_hour_says_when_something_comes_free() -> None:
    books = Books()
    pod = books.open()
    lease = pod.lease(500, BYTES)
    answer = pod.sync(spent=(Spent(lease, 500),), returned=(lease,), wants=(Want(BYTES.id, 1),))

    assert answer.refused == (synced.Refused(BYTES.id, 0, 3660),)
    assert answer.usage == (Used(BYTES.id, 500, 500, 3660),)


def test_i07_bytes_of_a_silent_pod_are_charged_when_it_can_spend_no_more_of_them() -> None:
    books = Books()
    pod = books.open()
    pod.lease(100)
    pod.lease(200, BYTES)
    books.now += SILENT
    silent = accounts.at(books.account, books.now).books
    assert (silent[TOKENS.id].charged(books.now), silent[BYTES.id].charged(books.now)) == (100, 0)
    assert books.used(BYTES) == 200, "it may still spend them"

    books.now += (synced.BYTES_LEASE_SECONDS - synced.LEASE_SECONDS) * SECOND
    over = accounts.at(books.account, books.now).books[BYTES.id]
    assert (over.charged(books.now), over.outstanding) == (200, 0)


def test_i07_a_pod_that_comes_back_before_its_bytes_are_over_has_them_still() -> None:
    books = Books()
    pod = books.open()
    tokens, moved = pod.lease(100), pod.lease(200, BYTES)
    books.now += 10 * MINUTE
    pod.sync(spent=(Spent(tokens, 40), Spent(moved, 150)))
    books.now += 10 * MINUTE
    pod.sync(returned=(tokens, moved))

    assert (books.used(), books.used(BYTES)) == (40, 150)


@pytest.mark.parametrize("window", [Window.HOUR, Window.DAY])
def test_i07_no_lease_is_given_for_longer_than_its_session_is_waited_for(window: Window) -> None:
    books = Books()
    pod = books.open()
    meter = BYTES if window is Window.HOUR else TOKENS
    (lease,) = pod.sync(wants=(Want(meter.id, 1),)).leases
    session = books.account.sessions[pod.session]

    assert session.heard + lease.seconds * SECOND < session.spends_until(window)


def test_bytes_that_pods_keep_in_stock_are_not_told_as_used_before_no_more_can_be_lent() -> None:
    books = Books()
    large = replace(BYTES, limit=100_000)
    pod = books.open(meters=(large,))

    def told() -> int:
        (used,) = accounts.usage(books.account, namespace="n", policy="p", now=books.now).meters
        return used.used

    pod.sync(wants=(Want(large.id, 60_000),), spent=())
    assert told() == 0
    (lease,) = pod.sync(wants=(Want(large.id, 36_000),)).leases
    assert told() == 100_000, "what is left is too little for anybody"
    pod.sync(spent=(Spent(lease.id, 10_000),), returned=(lease.id,))
    assert told() == 10_000


def test_nothing_that_was_is_kept_for_ever() -> None:
    books = Books()
    for number in range(50):
        books.open(f"pod-{number}").lease(1)
        books.now += 10 * MINUTE
    books.now += DAY

    assert accounts.gone(books.account, books.now)
    assert len(accounts.at(books.account, books.now).sessions) == 0
