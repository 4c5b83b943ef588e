"""Reserve what a call may use at most, of all its meters or of none, and charge it once.

A call asks for amounts by meter. Where one has not enough, the answer says whether the ledger may have more of it: then
the call waits in line, and its turn comes when a lease does. Every reservation has a deadline; one that ends without
word of what was used is charged whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from zaum_api import contract, documents
from zaum_watchdog.core.limits import shares, slices, standing
from zaum_watchdog.core.limits.recent import SECOND
from zaum_watchdog.core.limits.shares import Place
from zaum_watchdog.core.metering import ratelimit

PATIENCE: Final = 2 * SECOND
"""How long a call waits for the ledger."""
TOLD: Final = 10 * SECOND
"""How long the ledger is not told at once again that calls are refused: it hears it with the next Sync."""
_RULES: Final = {
    (documents.Kind.REQUESTS, documents.Window.MINUTE): contract.Rule.REQUESTS_PER_MINUTE,
    (documents.Kind.CONNECTIONS, documents.Window.NOW): contract.Rule.CONNECTIONS,
    (documents.Kind.BYTES_OUT, documents.Window.HOUR): contract.Rule.BYTES_OUT_PER_HOUR,
    (documents.Kind.BYTES_IN, documents.Window.HOUR): contract.Rule.BYTES_IN_PER_HOUR,
    (documents.Kind.TOKENS, documents.Window.MINUTE): contract.Rule.TOKENS_PER_MINUTE,
    (documents.Kind.TOKENS, documents.Window.DAY): contract.Rule.TOKENS_PER_DAY,
    (documents.Kind.COST, documents.Window.DAY): contract.Rule.COST_PER_DAY,
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A meter that has not enough.

    `left`: what could be had of it. `wait`: nanoseconds until it may have enough, 0 where that is not known. `leased`:
    the ledger has not said yet that it has no more.
    """

    meter: documents.Meter
    left: int
    wait: int = 0
    leased: bool = False

    @property
    def rule(self) -> contract.Rule:
        """Give the rule that refuses; nobody waits for the ledger any longer."""
        if self.leased:
            return contract.Rule.LEDGER_UNAVAILABLE
        return _RULES[self.meter.kind, self.meter.window]


@dataclass(slots=True)
class Reservation:
    """What a call holds, until `until`."""

    call: int
    until: int
    minutes: Mapping[str, int]
    parts: Mapping[str, tuple[slices.Part, ...]]


class Lot(NamedTuple):
    """The meters for which the calls of one route count; of a budget, whether it is one of money."""

    requests: tuple[shares.Requests, ...]
    places: tuple[shares.Places, ...]
    minutes: tuple[tuple[str, shares.Minute], ...]
    slices: tuple[tuple[str, slices.Slices, bool], ...]

    def fit(self, tokens: int, cost: int, now: int) -> bool:
        """Say whether there is enough of everything for one call more, which has its place already."""
        for requests in self.requests:
            if not requests.fit(1, now):
                return False
        for places in self.places:
            if not places.fit(0, now):
                return False
        for _, minute in self.minutes:
            if not minute.fit(tokens, now):
                return False
        for _, held, money in self.slices:
            amount = cost if money else tokens
            if not amount or not held.fit(amount, now):
                return False
        return True


@dataclass(slots=True)
class AtOnce:
    """The same, reserved at once: `parts` in the order of the lot's slices."""

    until: int
    lot: Lot
    tokens: int
    held: list[tuple[slices.Part, ...]]

    @property
    def minutes(self) -> Mapping[str, int]:
        """Give what is reserved of rates."""
        return {name: self.tokens for name, _ in self.lot.minutes}

    @property
    def parts(self) -> Mapping[str, tuple[slices.Part, ...]]:
        """Give what is reserved of leases."""
        return {name: parts for (name, _, _), parts in zip(self.lot.slices, self.held, strict=True)}


@dataclass(frozen=True, slots=True)
class Report:
    """What the next `Sync` says of the meters."""

    spent: tuple[documents.Spent, ...]
    returned: tuple[str, ...]
    wants: tuple[documents.Want, ...]
    needs: tuple[documents.Want, ...]
    demand: tuple[documents.Demand, ...]


class Books:
    """All meters of this pod. Amounts of meters that it does not have are not limited."""

    __slots__ = (
        "_live", "_meters", "_minutes", "_none_left", "_parts", "_replicas", "_requests", "_retired", "_said",
        "_slices", "_standing", "_told", "_tuned", "_unmet", "_used", "_waiting", "places",
    )  # fmt: skip

    def __init__(self, meters: Iterable[documents.Meter], place: Place, now: int) -> None:
        self._meters: dict[str, documents.Meter] = {}
        self._requests: dict[str, shares.Requests] = {}
        self._minutes: dict[str, shares.Minute] = {}
        self._slices: dict[str, slices.Slices] = {}
        self._parts: dict[str, standing.Part] = {}
        """All of them."""
        self._retired: dict[str, slices.Slices] = {}
        """Of meters that the document names no more: their leases are the ledger's to have back."""
        self._tuned = 0
        self._said = 0
        """Of the tunings, which one the last report spoke of."""
        self.places: dict[str, shares.Places] = {}
        """Connections, which are held for as long as they live."""
        self._live: dict[int, Reservation | AtOnce] = {}
        self._waiting: dict[int, Mapping[str, int]] = {}
        self._none_left: dict[str, tuple[int, int]] = {}
        """What the ledger had left of meters when that was less than what was wanted, and until when that counts."""
        self._unmet: dict[str, int] = {}
        """The most that calls were refused of budgets since the last report, for good."""
        self._told: dict[str, int] = {}
        """When a report last said so."""
        self._used: dict[str, tuple[int, int]] = {}
        self.retune(meters, place, now)
        self._said = self._tuned

    def throttle(self, divided: int) -> None:
        """Divide the tokens of a minute, until it is called with 1 again or a document adds such a meter."""
        for minute in self._minutes.values():
            minute.divided = divided

    def retune(self, meters: Iterable[documents.Meter], place: Place, now: int) -> None:
        """Follow a changed document. Of a meter that stays, what is spent is spent."""
        self._tuned += 1
        self._replicas = place.replicas
        self._meters = {meter.id: meter for meter in meters}
        for kept in (self._requests, self._minutes, self.places):
            for name in [name for name in kept if name not in self._meters]:
                del kept[name]
        for name in [name for name in self._slices if name not in self._meters]:
            self._retired[name] = self._slices.pop(name)
        self._told = {name: at for name, at in self._told.items() if name in self._meters}
        self._unmet = {
            name: amount
            for name, amount in self._unmet.items()
            if name in self._meters and amount <= self._meters[name].limit
        }
        for name, meter in self._meters.items():
            self._tune(name, meter, place, now)
        self._parts = {**self._slices, **self._shared()}
        self._standing = standing.Standing(self._meters, self._parts)

    def _tune(self, name: str, meter: documents.Meter, place: Place, now: int) -> None:
        if not meter.shared_by_shares:
            if name not in self._slices:
                stocked = meter.window is documents.Window.HOUR
                kept = self._retired.pop(name, None)
                self._slices[name] = kept if kept is not None else slices.Slices(now, stocked=stocked)
        elif name in self._shared():
            self._shared()[name].retune(meter, place, now)
        elif meter.kind is documents.Kind.REQUESTS:
            self._requests[name] = shares.Requests(meter, place, now)
        elif meter.kind is documents.Kind.TOKENS:
            self._minutes[name] = shares.Minute(meter, place, now)
        else:
            self.places[name] = shares.Places(meter, place, now)

    def _shared(self) -> dict[str, shares.Requests | shares.Minute | shares.Places]:
        return {**self._requests, **self._minutes, **self.places}

    # What calls do.

    def reserve(self, call: int, amounts: Mapping[str, int], *, now: int, until: int) -> Reservation | Refused:
        """Reserve for a call, which has a number of its own; take it out of the line where it waits in it."""
        assert call not in self._live, "a call reserves once, or what it holds would be lost"
        plenty = not self._waiting and self._plenty(amounts, now)
        if not plenty:
            if call not in self._waiting:
                self._ask(amounts, now)
            refused = self._refused_by(call, amounts, now)
            if refused is not None:
                return refused
            self._waiting.pop(call, None)
        return self._set_aside(call, amounts, now, until, asked=not plenty)

    def lot(self, names: Iterable[str]) -> Lot:
        """Look up meters by which many calls are going to be counted, until the next `retune`."""
        found = [(name, self._parts[name]) for name in names if name in self._parts]
        return Lot(
            tuple(part for _, part in found if isinstance(part, shares.Requests)),
            tuple(part for _, part in found if isinstance(part, shares.Places)),
            tuple((name, part) for name, part in found if isinstance(part, shares.Minute)),
            tuple(
                (name, part, self._meters[name].kind is documents.Kind.COST)
                for name, part in found
                if isinstance(part, slices.Slices)
            ),
        )

    def reserve_at_once(self, call: int, lot: Lot, *, tokens: int, cost: int, now: int, until: int) -> bool:
        """Reserve for a call of a model as `reserve` does, where there is plenty and nobody waits.

        False: nothing has happened.
        """
        if self._waiting or not tokens or not lot.fit(tokens, cost, now):
            return False
        for requests in lot.requests:
            requests.spend(now)
        for _, minute in lot.minutes:
            minute.spend(tokens, now)
        parts = [held.reserve(cost if money else tokens, now) or () for _, held, money in lot.slices]
        self._live[call] = AtOnce(until, lot, tokens, parts)
        return True

    def _set_aside(self, call: int, amounts: Mapping[str, int], now: int, until: int, *, asked: bool) -> Reservation:
        """Reserve what is there. `asked`: it is counted already that somebody asked."""
        minutes: dict[str, int] = {}
        parts: dict[str, tuple[slices.Part, ...]] = {}
        for name, amount in amounts.items():
            part = self._parts.get(name)
            if isinstance(part, slices.Slices):
                parts[name] = part.reserve(amount, now) or ()
            elif isinstance(part, shares.Minute):
                if not asked:
                    part.ask(amount, now)
                part.reserve(amount)
                minutes[name] = amount
            elif isinstance(part, shares.Requests):
                if not asked:
                    part.ask(now)
                part.take(now)
        reservation = self._live[call] = Reservation(call, until, minutes, parts)
        return reservation

    def _plenty(self, amounts: Mapping[str, int], now: int) -> bool:
        """Say whether there is enough of everything, as nearly always: then nobody is to be told why not."""
        for name, amount in amounts.items():
            part = self._parts.get(name)
            if part is not None and not part.fit(amount, now):
                return False
        return True

    def _ask(self, amounts: Mapping[str, int], now: int) -> None:
        for name, amount in amounts.items():
            if name in self._requests:
                self._requests[name].ask(now)
            elif name in self._minutes:
                self._minutes[name].ask(amount, now)

    def _refused_by(self, call: int, amounts: Mapping[str, int], now: int) -> Refused | None:
        """Look at the rates first: where those refuse, nothing of a budget is to be asked for."""
        for name, amount in amounts.items():
            if name in self._slices or name not in self._meters:
                continue
            if name in self._minutes:
                refused = self._over_minute(call, name, amount, now)
                if refused is not None:
                    return refused
            elif name in self._requests:
                wait = self._requests[name].wait(now)
                if wait:
                    return Refused(self._meters[name], 0, wait)
            elif not self.places[name].fit(amount, now):
                self.places[name].refuse(now)
                return Refused(self._meters[name], self.places[name].left(now), SECOND)
        for name, amount in amounts.items():
            if amount and name in self._slices:
                refused = self._short(call, name, amount, now)
                if refused is not None:
                    return refused
        return None

    def _over_minute(self, call: int, name: str, amount: int, now: int) -> Refused | None:
        minute, meter = self._minutes[name], self._meters[name]
        room = minute.room(now) - (self._before(call, name) if self._waiting else 0)
        if amount <= room:
            return None
        wait = minute.wait(amount, now) or SECOND if amount <= meter.limit else 0
        return Refused(meter, max(0, room), wait)

    def _short(self, call: int, name: str, amount: int, now: int) -> Refused | None:
        free = self._slices[name].free(now) - (self._before(call, name) if self._waiting else 0)
        if amount <= free:
            return None
        meter = self._meters[name]
        if amount > meter.limit:
            return Refused(meter, max(0, free))
        remaining, at = self._none_left.get(name, (amount, now))
        if amount - free > remaining and now < at:
            return Refused(meter, max(0, free + remaining), at - now)
        return Refused(meter, max(0, free), leased=True)

    def available(self, name: str, now: int) -> int:
        """Give what could be reserved of a budget at once by one who does not wait."""
        return self._slices[name].free(now) - self._before(0, name) if name in self._slices else 0

    def _before(self, call: int, name: str) -> int:
        """Add up what those want who wait and came before: nobody overtakes them. No call is 0."""
        wanted = 0
        for waiting, amounts in self._waiting.items():
            if waiting == call:
                break
            wanted += amounts.get(name, 0)
        return wanted

    def wait(self, call: int, amounts: Mapping[str, int]) -> None:
        """Put a call into the line, whose `reserve` was refused for want of a lease."""
        self._waiting.setdefault(call, dict(amounts))

    def give_up(self, call: int) -> None:
        """Take a call out of the line."""
        self._waiting.pop(call, None)

    def refuse(self, name: str, amount: int, now: int) -> bool:
        """Note that a call was refused so much of a meter for good; say whether the ledger is to hear of it at once.

        It judges by that whether a budget is spent. What could never fit says nothing about that.
        """
        if name not in self._slices or amount > self._meters[name].limit:
            return False
        self._unmet[name] = max(amount, self._unmet.get(name, 0))
        return name not in self._told or now - self._told[name] >= TOLD

    @property
    def waiting(self) -> tuple[int, ...]:
        """List who waits, in the order in which their turn comes."""
        return tuple(self._waiting)

    def settle(self, call: int, used: Mapping[str, int], now: int) -> bool:
        """Charge what a call used, of a meter that is not named all that was reserved; False: it was charged before."""
        reservation = self._live.pop(call, None)
        if reservation is None:
            return False
        for name, amount in reservation.minutes.items():
            minute = self._minutes.get(name)
            if minute is not None:
                minute.settle(amount, used.get(name, amount), now)
        for name, parts in reservation.parts.items():
            held = self._slices.get(name) or self._retired.get(name)
            if held is not None:
                charged = used.get(name)
                held.charge(parts, sum([part.amount for part in parts]) if charged is None else charged, now)
        return True

    def settle_at_once(self, call: int, *, tokens: int, cost: int, now: int) -> bool:
        """Charge a call of a model, all of whose meters are named by what was reserved at once; else as `settle`."""
        found = self._live.pop(call, None)
        if found is None:
            return False
        assert isinstance(found, AtOnce)
        lot, reserved = found.lot, found.tokens
        for name, _ in lot.minutes:
            minute = self._minutes.get(name)
            if minute is not None:
                minute.settle(reserved, tokens, now)
        for (name, _, money), parts in zip(lot.slices, found.held, strict=True):
            held = self._slices.get(name) or self._retired.get(name)
            if held is not None:
                held.charge(parts, cost if money else tokens, now)
        return True

    def expire(self, now: int) -> list[int]:
        """Charge whole what is past its deadline; give the calls."""
        late = [call for call, reservation in self._live.items() if now >= reservation.until]
        for call in late:
            self.settle(call, {}, now)
        return late

    # What the ledger is told, and says.

    def report(self, now: int) -> Report:
        """Say what the next Sync is to say. What it gives back stays until the answer is heard."""
        self._said = self._tuned
        self._provide(now)
        wanted = {name for amounts in self._waiting.values() for name in amounts}
        returned = [held.leave(now, idle=name not in wanted) for name, held in self._slices.items()]
        returned += [held.leave(now, idle=True, after=0) for held in self._retired.values()]
        wants = {
            name: held.want(self._lacking(name, now), now, more=self._more_left(name, now))
            for name, held in self._slices.items()
        }
        needs = {name: self._unmet.get(name, 0) + held.owed for name, held in self._slices.items()}
        self._told |= dict.fromkeys(self._unmet, now)
        self._unmet = {}
        return Report(
            spent=tuple(spent for held in self._all() for spent in held.spent()),
            returned=tuple(lease for leases in returned for lease in leases),
            wants=self._wanted(wants),
            needs=self._wanted(needs),
            demand=tuple(part.demand(name, now) for name, part in sorted(self._shared().items())),
        )

    def _wanted(self, amounts: Mapping[str, int]) -> tuple[documents.Want, ...]:
        """Name what there is of it, each no more than there can ever be."""
        limits = ((name, amount, self._meters[name].limit) for name, amount in amounts.items() if amount)
        return tuple(documents.Want(name, min(amount, limit)) for name, amount, limit in limits)

    def low(self, now: int) -> bool:
        """Say whether more of a budget should be asked for ahead of need."""
        self._provide(now)
        return any(held.low(now) and self._more_left(name, now) for name, held in self._slices.items())

    def _provide(self, now: int) -> None:
        """Let what does not stop with the ledger be kept in stock, once it has said what is left."""
        for name, held in self._slices.items():
            if name in self._used:
                held.provide(self._meters[name].limit, self._used[name][0], replicas=self._replicas, now=now)

    def _more_left(self, name: str, now: int) -> bool:
        """Say whether the ledger has not said lately that it has less than was wanted."""
        return now >= self._none_left.get(name, (0, now))[1]

    def close(self, now: int) -> Report:
        """Say the last word: what is not settled is charged whole, and everything is given back."""
        for call in [*self._live]:
            self.settle(call, {}, now)
        returned = tuple(lease for held in self._all() for lease in held.close())
        last = self.report(now)
        return Report(last.spent, returned, (), (), last.demand)

    def _all(self) -> Iterator[slices.Slices]:
        yield from self._slices.values()
        yield from self._retired.values()

    def _lacking(self, name: str, now: int) -> int:
        wanted = sum(amounts.get(name, 0) for amounts in self._waiting.values())
        return max(0, wanted - self._slices[name].free(now)) if wanted else 0

    def hear(self, synced: documents.Synced, *, returned: Iterable[str], sent: int, now: int) -> None:
        """Follow an answer to what `report` said last, which was sent at `sent` and gave back `returned`."""
        given = {share.meter: share for share in synced.shares}
        for name, part in self._shared().items():
            part.hear(given.get(name), sent=sent, heard=now, outdated=self._said != self._tuned)
        gone = tuple(returned)
        for held in self._all():
            held.left(gone)
            held.renew(sent=sent, heard=now)
        for lease in synced.leases:
            held = self._slices.get(lease.meter) or self._retired.setdefault(lease.meter, slices.Slices(now))
            held.grant(lease, sent=sent, now=now)
        self._retired = {name: held for name, held in self._retired.items() if not held.empty}
        # Of what it was asked about and names no use of, nothing is used.
        if self._said == self._tuned:
            self._used = dict.fromkeys(self._slices, (0, now))
        self._used |= {item.meter: (item.used, now + item.seconds * SECOND) for item in synced.usage}
        self._none_left = {item.meter: (item.remaining, now + max(1, item.seconds) * SECOND) for item in synced.refused}

    def alone(self, now: int) -> None:
        """Take it that there is no ledger: each pod has its floor for ever, and nobody says what pods before spent.

        Requests and connections are there at once; the tokens of a minute are not, because they are money.
        """
        for requests in self._requests.values():
            requests.hear(None, sent=now, heard=now)
        for places in self.places.values():
            places.hear(None, sent=now, heard=now)
        for minute in self._minutes.values():
            minute.bounds.hear(None, sent=now, heard=now)

    def states(self, names: Iterable[str], now: int) -> list[ratelimit.State]:
        """Say how meters stand: what this pod has left of a rate, and the policy of a budget at the last answer.

        A budget of which no answer has told yet is left out: what this pod holds of it says nothing of what is left.
        """
        return self._standing.states(names, self._used, now)

    def lines(self, names: tuple[str, ...], now: int) -> list[bytes]:
        """Write the headers that say so."""
        return self._standing.lines(names, self._used, now)

    def lost(self) -> None:
        """Take word that the ledger does not know the session: what it held is charged whole, and begins anew."""
        for held in self._all():
            held.lost()
        self._retired = {}
        self._told = {}
