"""Breaches under everything that may happen to them: lost commits, lost answers, an API server that refuses, releases.

A model beside the account says what must be: one Incident for each pod that broke out and was heard, by the action that
its kills ask for, and none for anybody else.
"""

import random

import pytest

from tests.unit.zaum_ledger.core.test_containing import CPU, KILL, NOON, QUARANTINE, Books, who
from zaum_api import incidents
from zaum_api.documents import Action
from zaum_ledger.core import accounts
from zaum_ledger.core.windows import DAY, HOUR, MINUTE

BEFORE = 2
STEPS = 250


class Walk:
    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.books = Books(kills_before_quarantine=BEFORE)
        self.sessions: dict[str, tuple[str, int]] = {}
        self.breached: set[str] = set()
        self.heard: dict[str, tuple[int, incidents.Action]] = {}
        """Pods of which a breach was committed: when, and what it must come to."""
        self.kills: dict[str, int] = {}
        self.made: dict[str, incidents.Action] = {}
        self.told: dict[str, int] = {}
        self.started = 0

    def step(self) -> None:
        often = (self.sync, self.report, self.wait)
        self.dice.choice([*often, *often, self.start, self.breach, self.release])()
        self.check()

    def start(self) -> None:
        self.started += 1
        self.sessions[f"pod-{self.started}"] = ("", 1)

    def sync(self) -> None:
        if not self.sessions:
            return
        pod = self.dice.choice(sorted(self.sessions))
        session, sequence = self.sessions[pod]
        before, lost = self.books.account, self.dice.random() < 0.2
        if session and session not in accounts.at(before, self.books.now).sessions:
            session, sequence = "", 1
        latched = CPU if pod in self.breached else ""
        answer = self.books.sync(pod, session, sequence, latched=latched)
        if lost:
            self.books.account = before  # the commit failed, so nobody was answered
            return
        if latched and pod not in self.heard:
            action = QUARANTINE if self.count() >= BEFORE else KILL
            self.heard[pod] = self.books.now, action
            self.kills[pod] = self.books.now
        if self.dice.random() < 0.8:  # else the answer was lost, and the same is said again
            self.sessions[pod] = (answer.session, sequence + 1)
            if answer.orders:
                newest = max(order.number for order in answer.orders)
                assert newest >= self.told.get(pod, 0), "numbers never fall"
                self.told[pod] = newest

    def breach(self) -> None:
        if self.sessions and self.dice.random() < 0.3:
            self.breached.add(self.dice.choice(sorted(self.sessions)))

    def report(self) -> None:
        """Try to make what is due: made, made and not said, refused, or made and not noted."""
        for uid, due in self.books.account.conduct.due.items():
            if self.dice.random() < 0.4:
                return
            there = uid in self.made
            self.made.setdefault(uid, due.action)
            if self.dice.random() < 0.6:
                self.books.made(uid, ours=not there)

    def release(self) -> None:
        whole = sorted(uid for uid, action in self.made.items() if action is QUARANTINE)
        if whole and self.dice.random() < 0.2:
            incident = f"{self.dice.random()}"  # another Incident each time: the same one forgives once
            self.books.post(Action.RELEASE, incident)
            self.kills.clear()
            self.books.now += 1

    def wait(self) -> None:
        step = self.dice.choice([1, MINUTE, HOUR, 5 * HOUR])
        self.books.now += step
        if step >= HOUR:  # who was heard to end its agent has ended
            self.sessions = {pod: said for pod, said in self.sessions.items() if pod not in self.heard}

    def count(self) -> int:
        return sum(when > self.books.now - DAY for when in self.kills.values())

    def check(self) -> None:
        conduct = self.books.account.conduct
        for uid, (_, action) in self.heard.items():
            assert uid in conduct.due or uid in self.made, "what was heard is never lost"
            if uid in conduct.due:
                assert conduct.due[uid].action is action
            if uid in self.made:
                assert self.made[uid] is action
        assert set(conduct.due) | set(self.made) <= set(self.heard), "and nobody else is accused"
        assert self.books.kills == self.count()
        assert len({who(uid).incident for uid in self.made}) == len(self.made)


@pytest.mark.parametrize("seed", range(20))
def test_i10_every_breach_comes_to_its_one_incident(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(STEPS):
        walk.step()
    assert walk.books.now > NOON
    assert walk.heard
    while walk.books.account.conduct.due:
        walk.report()
        walk.check()
    assert set(walk.made) == set(walk.heard)


def test_the_walks_reach_what_they_are_for() -> None:
    found = set()
    for seed in range(20):
        walk = Walk(seed)
        for _ in range(STEPS):
            walk.step()
        found |= set(walk.made.values())
    assert found == {KILL, QUARANTINE}
