"""What the ledger, the operator and people may say of a containment."""

from typing import Any, Final

from tests.support.table import case
from tests.support.table.case import IMAGE, Change, Refusal
from zaum_api import contract, incidents

_S, _R = Refusal.SCHEMA, Refusal.RULE
_POD: Final = {"name": "zaum-researcher-0-abcde", "uid": "6b0d2d5e-0000-4000-8000-000000000001"}
_BREACH: Final[dict[str, Any]] = {"reason": "RunawayCPU", "action": "Kill", "reporter": "Ledger", "pod": _POD}
_PERSON: Final[dict[str, Any]] = {
    "reason": "Manual",
    "action": "Quarantine",
    "reporter": "Human",
    "requestedBy": "jane@example.com",
}


def breach(**fields: Any) -> dict[str, Any]:
    """Give the spec of an Incident that the ledger makes."""
    return {"policyRef": {"name": "researcher"}, **_BREACH, **fields}


def asked(**fields: Any) -> dict[str, Any]:
    """Give the spec of an Incident that a person makes."""
    return {"policyRef": {"name": "researcher"}, **_PERSON, **fields}


def evidence(**fields: Any) -> dict[str, Any]:
    """Give a breach with this evidence beside its summary."""
    return breach(evidence={"summary": "Too much.", **fields})


def released(spec: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Give a spec with its release."""
    return {**spec, "release": {"by": "jane@example.com", "reason": "mended", **fields}}


def _case(title: str, spec: dict[str, Any], refused: Refusal | None = None, says: str = "") -> case.Case:
    return case.Case(title, spec, refused, says, name="researcher-0123456789", kind=contract.KIND_INCIDENT)


def _change(
    title: str, before: dict[str, Any], after: dict[str, Any], says: str = "", *, closed: bool = False
) -> Change:
    return Change(title, before, after, says, kind=contract.KIND_INCIDENT, closed=closed)


_FACTS: Final = [{"name": f"fact{number}", "value": "1"} for number in range(17)]

GOOD: Final = (
    _case("a breach", breach()),
    _case("a breach that is one too many", breach(action="Quarantine")),
    _case("a breach of a pod by name", breach(pod={"name": "zaum-researcher-0-abcde"})),
    _case("a quarantine without a pod", breach(action="Quarantine", pod=None)),
    _case("a person's quarantine", asked()),
    _case("a person's kill", asked(action="Kill", pod=_POD)),
    _case("what the operator saw", breach(reporter="Operator", reason="Tampering", action="Quarantine")),
    *(
        _case(f"for {reason}", breach(reason=reason))
        for reason in incidents.REASONS
        if reason not in {"Manual", "RunawayCPU"}
    ),
    _case("a time", breach(observedAt="2026-11-23T05:00:00Z")),
    _case("a time with a fraction", breach(observedAt="2026-11-23T05:00:00.123456789Z")),
    _case("a person of an identity provider", asked(requestedBy="oidc:jane doe/42")),
    _case("letters of other languages", asked(evidence={"summary": "Jürgen Ægir: 日本 ¿?"})),
    _case("evidence", evidence(facts=_FACTS[:16], images=[IMAGE, "a:1", "b:1", "c:1"])),
    _case("evidence of nothing more", evidence(facts=[], images=[])),
    _case("a fact of nothing", evidence(facts=[{"name": "a", "value": ""}])),
    _case("the longest summary", breach(evidence={"summary": "x" * 512})),
    _case("a stored release", released(asked())),
    _case("a policy with the longest name", breach(policyRef={"name": "a" * 48})),
)

BAD: Final = (
    _case("nothing", {}, _S),
    _case("no policy", {**_BREACH}, _S),
    _case("a policy of another namespace", breach(policyRef={"name": "researcher", "namespace": "others"}), _S),
    _case("a policy with a name that none has", breach(policyRef={"name": "Researcher"}), _S),
    _case("a policy's name with a line break", breach(policyRef={"name": "a\n"}), _S),
    _case("a policy with too long a name", breach(policyRef={"name": "a" * 49}), _S),
    _case("an unknown reason", breach(reason="Boredom"), _S),
    _case("an unknown action", breach(action="Throttle"), _S),
    _case("an unknown reporter", breach(reporter="Watchdog"), _S),
    _case("a kill of no pod", breach(pod=None), _R, "spec.pod: a Kill is about one pod"),
    _case("a kill by a person of no pod", asked(action="Kill"), _R, "spec.pod: a Kill is about one pod"),
    _case("a person without a name", asked(requestedBy=None), _R, "a person's Incident says who asks"),
    _case("a person with an empty name", asked(requestedBy=""), _S),
    _case("a ledger with a person's name", breach(requestedBy="jane"), _R, "a person's Incident says who asks"),
    _case("a person's breach", asked(reason="RunawayCPU"), _R, "spec.reason: Manual is for people"),
    _case("a ledger's whim", breach(reason="Manual"), _R, "spec.reason: Manual is for people"),
    _case("a pod without a name", breach(pod={"uid": "a"}), _S),
    _case("a pod's uid with a slash", breach(pod={"name": "a", "uid": "a/b"}), _S),
    _case("a pod's name with a slash", breach(pod={"name": "../a"}), _S),
    _case("a time of another kind", breach(observedAt="yesterday"), _S),
    _case("a time elsewhere", breach(observedAt="2026-11-23T05:00:00+01:00"), _S),
    _case("evidence of 1 MB", breach(evidence={"summary": "x" * 1_000_000}), _S),
    _case("evidence without a summary", breach(evidence={"facts": []}), _S),
    _case("an empty summary", breach(evidence={"summary": ""}), _S),
    _case("a summary with a line break", breach(evidence={"summary": "a\nb"}), _S),
    _case("a summary that colours a terminal", breach(evidence={"summary": "\x1b[31mred"}), _S),
    _case("a summary that runs backwards", breach(evidence={"summary": "\u202egnp.exe"}), _S),
    _case("a summary with nothing to see", breach(evidence={"summary": "a\u200bb"}), _S),
    _case("17 facts", evidence(facts=_FACTS), _S),
    _case("a fact twice", evidence(facts=[_FACTS[0], _FACTS[0]]), _S),
    _case("a fact without a value", evidence(facts=[{"name": "a"}]), _S),
    _case("a fact's name with a blank", evidence(facts=[{"name": "a b", "value": ""}]), _S),
    _case("a fact with a tab", evidence(facts=[{"name": "a", "value": "\t"}]), _S),
    _case("a fact of 257 characters", evidence(facts=[{"name": "a", "value": "x" * 257}]), _S),
    _case("five images", evidence(images=["a", "b", "c", "d", "e"]), _S),
    _case("an image twice", evidence(images=["a", "a"]), _S),
    _case("an image with a blank", evidence(images=["a b"]), _S),
    _case("a release by nobody", released(asked(), by=""), _S),
    _case("a release without a reason", released(asked(), reason=""), _S),
    _case("a release with a line break", released(asked(), reason="a\r\nb"), _S),
    _case("a release of null", released(asked(), by=None), _S),
)

_KILL: Final = asked(action="Kill", pod=_POD)
"""The operator closes it by itself: of the pod that it names nothing is there."""

_FIXED, _ONCE = "spec of an Incident cannot be changed", "spec.release is said once"

GOOD_CHANGES: Final = (
    _change("an Incident as it is", breach(), breach()),
    _change("a release", asked(), released(asked())),
    _change("a release that stays", released(asked()), released(asked())),
    _change("a closed one as it is", _KILL, _KILL, closed=True),
)
BAD_CHANGES: Final = (
    _change("another policy", asked(), asked(policyRef={"name": "other"}), _FIXED),
    _change("another reason", breach(), breach(reason="RunawayDenied"), _FIXED),
    _change("a milder action", breach(action="Quarantine"), breach(), _FIXED),
    _change("another reporter", breach(), breach(reporter="Operator"), _FIXED),
    _change("another pod", breach(), breach(pod={"name": "zaum-other-0-abcde"}), _FIXED),
    _change("no pod", breach(action="Quarantine"), breach(action="Quarantine", pod=None), _FIXED),
    _change("another time", breach(), breach(observedAt="2026-11-23T05:00:00Z"), _FIXED),
    _change("other evidence", evidence(), breach(evidence={"summary": "Nothing."}), _FIXED),
    _change("no evidence", evidence(), breach(), _FIXED),
    _change("another person", asked(), asked(requestedBy="john"), _FIXED),
    _change("another word with the release", asked(), released(asked(policyRef={"name": "other"})), _FIXED),
    _change("another release", released(asked()), released(asked(), reason="other"), _ONCE),
    _change("no release", released(asked()), asked(), _ONCE),
    _change("a release at creation", {}, released(asked()), "spec.release cannot be said at creation"),
    _change("a release of a closed one", _KILL, released(_KILL), "this Incident is closed", closed=True),
)
"""Where `before` is empty the object is made."""
