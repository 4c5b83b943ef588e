"""The cage test: what is tried, what each outcome proves, and what follows for the agent.

| outcome of a try                            | says                                      |
|---------------------------------------------|-------------------------------------------|
| a connection stands, an answer came         | reached: an escape                        |
| a TCP connection is reset                   | reached: somebody is there to refuse      |
| nothing in time, unreachable, not permitted | held                                      |
| refused by ICMP, without a segment          | held: a firewall says that on the way     |
| any other error                             | a doubt: the try was not made             |

The control shows that the way to the gateway works and is decided on: without it a pod whose network is dead would
pass. It must be refused for the one right reason, and where it is not, the test proves nothing; that is no escape.
"""

import dataclasses
import errno
import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, documents
from zaum_watchdog.core import gateway_answer, refusals

SECOND: Final = 1_000_000_000
KUBELET_PORT: Final = 10250
"""Where every kubelet listens: a network plugin need not keep a pod from its own node."""
NODE: Final = "node"
CONTROL_PORT: Final = 443
NAME_MAX: Final = 64
LONGEST_WAIT: Final = 5 * SECOND
"""Between two tests while an agent waits for the proof."""
REACHED: Final = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})
HELD: Final = frozenset(
    {
        errno.ETIMEDOUT, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EPERM,
        errno.EACCES,
        # Nothing can leave by an address or a family that the pod does not have.
        errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL,
    }
)  # fmt: skip
_RIGHT: Final = frozenset({contract.Rule.HOST_NOT_NAMED, contract.Rule.HOST_MALFORMED})
_REFUSED: Final = 403
_SEGMENTS: Final = struct.Struct("=136xII")
"""tcpi_segs_out and tcpi_segs_in."""
QUESTION: Final = (
    # A standard query (RFC 1035 §4.1.1): id, recursion desired, one question.
    b"\x7a\x61\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    + b"".join(bytes([len(label)]) + label.encode("ascii") for label in contract.CAGE_HOST.split("."))
    + b"\x00\x00\x01\x00\x01"
)
"""Asks for the IPv4 address of a name that nobody has."""

Try = tuple[documents.CageTarget, str]
"""A target and how the try of it ended, as `judge` says it."""


def node_addresses(text: str) -> tuple[str, ...]:
    """Read contract.ENV_NODE_ADDRESSES; what is no address cannot be dialled and is left out."""
    return tuple(dict.fromkeys(item for item in map(str.strip, text.split(",")) if _is_address(item)))


def targets(cage: documents.Cage, nodes: tuple[str, ...]) -> tuple[documents.CageTarget, ...]:
    """Give all that is tried: the document's targets and the pod's own node, each once."""
    own = [documents.CageTarget(NODE, documents.Transport.TCP, address, KUBELET_PORT) for address in nodes]
    return tuple(dict.fromkeys((*cage.targets, *own)))


def reset_by_target(info: bytes) -> bool:
    """Say whether a connection that was refused was refused by TCP; `info` is its struct tcp_info (linux/tcp.h).

    By ICMP it is where our SYN has left and no segment has come back. Kernels that do not count say nothing.
    """
    if len(info) < _SEGMENTS.size:
        return True
    sent, received = _SEGMENTS.unpack_from(info)
    return not (sent and not received)


def judge(transport: documents.Transport, error: int | None) -> str:
    """Say how a try ended: empty where the cage held, else a `documents.Outcome` or the name of a doubt.

    `error` is 0 where the connection stands or an answer came, None where nothing happened in time, else an errno.
    """
    if error is None or error in HELD:
        return ""
    if transport is documents.Transport.DNS:
        # A port unreachable may come from any firewall on the way, so for a question the answer alone counts.
        if error in REACHED:
            return ""
        return documents.Outcome.ANSWERED.value if error == 0 else _name(error)
    if error == 0:
        return documents.Outcome.CONNECTED.value
    return documents.Outcome.REFUSED.value if error in REACHED else _name(error)


def judge_control(answer: gateway_answer.Established | gateway_answer.Declined | None) -> str:
    """Say what is wrong with the control, empty where nothing is; None: the gateway gave no answer."""
    if isinstance(answer, gateway_answer.Established):
        return "established"
    if answer is None:
        return contract.Rule.GATEWAY_UNAVAILABLE.value
    return "" if answer.status == _REFUSED and answer.rule in _RIGHT else answer.rule.value


def findings(tries: Iterable[Try], *, control: str) -> tuple[documents.Escape, ...]:
    """Give what keeps the test from being a proof: the failed control, then escapes, then doubts."""
    found = [documents.Escape(_name_of(item), _at(item), outcome) for item, outcome in tries if outcome]
    found.sort(key=lambda item: not item.reached)
    if control:
        found.insert(0, documents.Escape(documents.CONTROL, f"{contract.CAGE_HOST}:{CONTROL_PORT}", control))
    return tuple(found[: documents.ESCAPES_MAX])


@dataclass(frozen=True, slots=True)
class Standing:
    """What the last test says, and what has been said before."""

    tested: int = 0
    """How many targets it tried; 0: there was none yet."""
    escapes: tuple[documents.Escape, ...] = ()
    failures: int = 0
    """Tests in a row that were no proof."""
    started: bool = False
    """The agent may start. Never taken back: a watchdog whose own probe fails is ended, and its pod with it."""

    @property
    def proven(self) -> bool:
        """Say whether the last test is a proof."""
        return self.tested > 0 and not self.escapes

    def after(self, cage: documents.Cage, tested: int, escapes: tuple[documents.Escape, ...]) -> "Standing":
        """Take in a test of `tested` targets."""
        passed = tested > 0 and not escapes
        made = Standing(tested, escapes, 0 if passed else self.failures + 1, self.started)
        return made.begun(cage)

    def begun(self, cage: documents.Cage | None) -> "Standing":
        """Let the agent start, unless it has to wait for a proof."""
        may = self.started or self.proven or cage is None or not cage.required
        return dataclasses.replace(self, started=may)

    def untested(self) -> "Standing":
        """Forget what was tested under a document that tests no more."""
        return Standing(started=self.started)

    def wait(self, cage: documents.Cage) -> int:
        """Give the nanoseconds until the next test: a failed one is repeated soon, and then more and more rarely."""
        period = cage.period_seconds * SECOND
        if not self.failures:
            return period
        again = SECOND << min(self.failures - 1, 12)
        return min(again, period, LONGEST_WAIT) if cage.required else min(again, period)

    def refusal(self, cage: documents.Cage | None) -> refusals.Refusal | None:
        """Refuse whatever the agent asks, while its policy requires a proof and there is none."""
        if cage is None or not cage.required or self.proven:
            return None
        if not self.tested:
            why = "the first test has not ended yet"
        else:
            why = ", ".join(f"{item.target} ({item.outcome})" for item in self.escapes[:3])
        return refusals.Refusal(
            contract.Rule.NO_PROOF,
            f"the policy requires a proof that this pod is caged, and the last cage test is none: {why}",
            "a cage test that passes (condition EnforcementProven), or spec.egress.requireProof: false",
            retry_after=SECOND,
        )


def _name_of(target: documents.CageTarget) -> str:
    """Give a name that is short however it is written down."""
    return target.name[:NAME_MAX].encode("ascii", "replace").decode("ascii")


def _at(target: documents.CageTarget) -> str:
    return f"[{target.address}]:{target.port}" if ":" in target.address else f"{target.address}:{target.port}"


def _name(error: int) -> str:
    return errno.errorcode.get(error, f"errno {error}")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
