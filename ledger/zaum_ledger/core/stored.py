"""An account as it is stored: one canonical JSON document, read strictly.

Accounts that are equal have equal bytes. A plan stands there once, however many sessions have it. One of which nothing
is to be contained is written as the version before, so that the release before can go on with it.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from zaum_api import documents, incidents, reading
from zaum_api.documents import AMOUNT_MAX, Action, Counters, Demand, Fact, Meter, Window
from zaum_api.reading import DocumentError, Fields
from zaum_ledger.core.accounts import Account
from zaum_ledger.core.books import NEVER, Book, Lease
from zaum_ledger.core.conduct import Conduct, Due
from zaum_ledger.core.sessions import Plan, Session
from zaum_ledger.core.shares import Lending, Loan, Promise
from zaum_ledger.core.standing import Standing

VERSION: Final = 3
_NOT_WHOLE: Final = 1
"""The version that did not say since when an account is whole."""
_SPENDING: Final = 2
"""The version that knew of spending alone."""
MAX_BYTES: Final = 16 * 1024 * 1024
_MANY: Final = 1_000_000
_FAR: Final = 2**63
"""Sums of amounts may be beyond what one amount can be."""

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def dump(account: Account) -> bytes:
    """Write the canonical form."""
    plans = [account.plan] if account.plan else []
    for _, session in sorted(account.sessions.items()):
        for plan in (session.plan, *(former for former, _ in session.former)):
            plans += [] if plan in plans else [plan]
    more: dict[str, Any] = {} if account.conduct == Conduct() else {"conduct": _conduct(account.conduct)}
    return reading.canonical(
        {
            "version": VERSION if more else _SPENDING,
            "born": account.born,
            "time": account.time,
            "serial": account.serial,
            "plans": [_plan(plan) for plan in plans],
            "planned": account.plan is not None,
            "sessions": {name: _session(session, plans) for name, session in account.sessions.items()},
            "books": {meter: _book(book) for meter, book in account.books.items()},
            "lendings": {key: _lending(lending) for key, lending in account.lendings.items()},
            "ordinals": {str(ordinal): heard for ordinal, heard in account.ordinals.items()},
            "counters": account.counters.write(),
            "teller": account.teller,
            "whole": account.whole,
        }
        | more
    )


def parse(raw: bytes) -> Account:
    """Read an account; raise DocumentError for anything but a whole, known one. Such an account must not be used."""
    fields = Fields(reading.load_json(raw, most=MAX_BYTES), "")
    version = fields.whole("version", least=0, most=AMOUNT_MAX)
    if version not in {_NOT_WHOLE, _SPENDING, VERSION}:
        raise DocumentError("version", f"is {version}; this version reads {VERSION}")
    plans = fields.items("plans", _read_plan, most=_MANY)
    planned = fields.truth("planned")
    if planned and not plans:
        raise DocumentError("plans", "must not be empty")
    account = Account(
        born=_whole(fields, "born"),
        time=_whole(fields, "time"),
        serial=_whole(fields, "serial"),
        plan=plans[0] if planned else None,
        sessions=fields.one("sessions", _mapping(lambda value, place: _read_session(value, place, plans))),
        books=fields.one("books", _read_books),
        lendings=fields.one("lendings", _mapping(_read_lending)),
        ordinals=_by_number(fields.one("ordinals", _mapping(_number))),
        counters=fields.one("counters", Counters.read),
        teller=_whole(fields, "teller"),
        whole=0 if version == _NOT_WHOLE else _whole(fields, "whole"),
        conduct=fields.one("conduct", _read_conduct) if version == VERSION else Conduct(),
    )
    fields.end()
    return account


def _plan(plan: Plan) -> dict[str, Any]:
    meters = [meter.write() for meter in plan.meters]
    return {"generation": plan.generation, "replicas": plan.replicas, "meters": meters}


def _read_plan(value: object, place: str) -> Plan:
    fields = Fields(value, place)
    plan = Plan(
        _whole(fields, "generation"), _whole(fields, "replicas"), fields.items("meters", Meter.read, most=_MANY)
    )
    fields.end()
    return plan


def _session(session: Session, plans: list[Plan]) -> dict[str, Any]:
    return {
        "pod": session.pod,
        "ordinal": session.ordinal,
        "plan": plans.index(session.plan),
        "heard": session.heard,
        "sequence": session.sequence,
        "counters": session.counters.write(),
        "latched": session.latched,
        "demand": {item.meter: [item.used, item.asked] for item in session.demand.values()},
        "recent": dict(session.recent),
        "silent": session.silent,
        "former": [[plans.index(plan), until] for plan, until in session.former],
    }


def _read_session(value: object, place: str, plans: tuple[Plan, ...]) -> Session:
    fields = Fields(value, place)
    demand = fields.one("demand", _mapping(_numbers(2)))
    session = Session(
        pod=fields.text("pod"),
        ordinal=_whole(fields, "ordinal"),
        plan=plans[fields.whole("plan", least=0, most=len(plans) - 1)],
        heard=_whole(fields, "heard"),
        sequence=_whole(fields, "sequence"),
        counters=fields.one("counters", Counters.read),
        latched=fields.text("latched", empty=True),
        demand={meter: Demand(meter, *said) for meter, said in demand.items()},
        recent=fields.one("recent", _mapping(_number)),
        silent=fields.truth("silent"),
        former=tuple(
            (_planned(plans, number, place), until) for number, until in fields.items("former", _numbers(2), most=_MANY)
        ),
    )
    fields.end()
    return session


def _planned(plans: tuple[Plan, ...], number: int, place: str) -> Plan:
    if number >= len(plans):
        raise DocumentError(f"{place}.former", "names a plan that is not there")
    return plans[number]


def _book(book: Book) -> dict[str, Any]:
    leases = {
        name: [lease.session, lease.sequence, lease.amount, lease.spent, lease.assumed]
        for name, lease in book.leases.items()
    }
    return {"charges": {str(number): amount for number, amount in book.charges.items()}, "leases": leases}


def _read_books(value: object, place: str) -> Mapping[str, Book]:
    books = {}
    for meter, (charges, leases) in _mapping(_read_book)(value, place).items():
        window = documents.meters.meter_id(meter, place).rpartition("/")[2]
        books[meter] = Book(Window(window), _by_number(charges), leases)
    return books


def _read_book(value: object, place: str) -> tuple[Mapping[str, int], Mapping[str, Lease]]:
    fields = Fields(value, place)
    found = fields.one("charges", _mapping(_number)), fields.one("leases", _mapping(_read_lease))
    fields.end()
    return found


def _read_lease(value: object, place: str) -> Lease:
    if not isinstance(value, list) or len(value) != 5:
        raise DocumentError(place, "must be a list of 5")
    session, *numbers, assumed = value
    sequence, amount, spent = (_number(item, place) for item in numbers)
    charged = NEVER if assumed == NEVER else _number(assumed, place)
    return Lease(reading.text(session, place), sequence, amount, spent, charged)


def _lending(lending: Lending) -> dict[str, Any]:
    def promises(of: Mapping[int, Promise]) -> dict[str, Any]:
        return {str(ordinal): [promise.amount, promise.until, int(promise.told)] for ordinal, promise in of.items()}

    loans = [[loan.lender, loan.borrower, loan.amount, loan.ends, loan.until] for loan in lending.loans]
    return {
        "said": promises(lending.said),
        "heard": promises(lending.heard),
        "loans": loans,
        "hungry": lending.hungry,
    }


def _read_lending(value: object, place: str) -> Lending:
    fields = Fields(value, place)
    said, heard = (fields.one(key, _mapping(_read_promise)) for key in ("said", "heard"))
    lending = Lending(
        said=_by_number(said),
        heard=_by_number(heard),
        loans=fields.items("loans", lambda item, at: Loan(*_numbers(5)(item, at)), most=_MANY),
        hungry=_whole(fields, "hungry"),
    )
    fields.end()
    return lending


def _read_promise(value: object, place: str) -> Promise:
    amount, until, told = _numbers(3)(value, place)
    return Promise(amount, until, told != 0)


def _conduct(conduct: Conduct) -> dict[str, Any]:
    return {
        "kills": dict(conduct.kills),
        "forgiven": conduct.forgiven,
        "due": {uid: _due(due) for uid, due in conduct.due.items()},
        "orders": [_standing(order) for order in conduct.orders],
    }


def _read_conduct(value: object, place: str) -> Conduct:
    fields = Fields(value, place)
    found = Conduct(
        kills=fields.one("kills", _mapping(_number)),
        forgiven=_whole(fields, "forgiven"),
        due=fields.one("due", _mapping(_read_due)),
        orders=fields.items("orders", _read_standing, most=_MANY),
    )
    fields.end()
    return found


def _due(due: Due) -> dict[str, Any]:
    return {
        "pod": due.pod,
        "reason": due.reason,
        "action": due.action.value,
        "at": due.at,
        "kills": due.kills,
        "facts": [fact.write() for fact in due.facts],
        "observed": due.observed,
    }


def _read_due(value: object, place: str) -> Due:
    fields = Fields(value, place)
    due = Due(
        pod=fields.text("pod", empty=True),
        reason=fields.text("reason"),
        action=fields.one("action", _enum(incidents.Action)),
        at=_whole(fields, "at"),
        kills=_whole(fields, "kills"),
        facts=fields.items("facts", Fact.read, most=documents.containment.FACTS_MAX),
        observed=_whole(fields, "observed"),
    )
    fields.end()
    return due


def _standing(order: Standing) -> dict[str, Any]:
    return {
        "number": order.number,
        "action": order.action.value,
        "incident": order.incident,
        "reason": order.reason,
        "pod": order.pod,
        "until": order.until,
    }


def _read_standing(value: object, place: str) -> Standing:
    fields = Fields(value, place)
    order = Standing(
        number=_whole(fields, "number"),
        action=fields.one("action", _enum(Action)),
        incident=fields.text("incident"),
        reason=fields.text("reason"),
        pod=fields.text("pod", empty=True),
        until=_whole(fields, "until"),
    )
    fields.end()
    return order


def _enum(kind: type[E]) -> Callable[[object, str], E]:
    def read(value: object, place: str) -> E:
        try:
            return kind(reading.text(value, place))
        except ValueError as error:
            raise DocumentError(place, f"must be one of {', '.join(kind)}") from error

    return read


def _whole(fields: Fields, key: str) -> int:
    return fields.whole(key, least=0, most=_FAR)


def _number(value: object, place: str) -> int:
    if type(value) is not int or not 0 <= value <= _FAR:
        raise DocumentError(place, "must be an integer that is not negative")
    return value


def _numbers(count: int) -> Callable[[object, str], list[int]]:
    def read(value: object, place: str) -> list[int]:
        if not isinstance(value, list) or len(value) != count:
            raise DocumentError(place, f"must be a list of {count} integers")
        return [_number(item, place) for item in value]

    return read


def _mapping(read: Callable[[object, str], T]) -> Callable[[object, str], Mapping[str, T]]:
    def items(value: object, place: str) -> Iterator[tuple[str, T]]:
        if not isinstance(value, dict):
            raise DocumentError(place, "must be an object")
        for key, item in value.items():
            yield key, read(item, f"{place}.{key}")

    return lambda value, place: dict(items(value, place))


def _by_number(found: Mapping[str, T]) -> dict[int, T]:
    for key in found:
        if not key.isascii() or not key.isdigit() or str(int(key)) != key:
            raise DocumentError(key, "must be a number")
    return {int(key): item for key, item in found.items()}
