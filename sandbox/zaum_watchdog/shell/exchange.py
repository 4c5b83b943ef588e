"""One request on a route and its answer: from the decision to the last byte.

What the upstream sends goes down as it comes, no faster than the agent takes it. Nothing is stored but what the next
byte decides.
"""

from typing import TYPE_CHECKING, Final

from zaum_api import contract
from zaum_watchdog.core import exchanges, relaying, requests, responses, routes
from zaum_watchdog.core.exchanges import Phase
from zaum_watchdog.shell import brake, credentials, parties, sending

if TYPE_CHECKING:
    from zaum_watchdog.shell import redacting

_RULE: Final = contract.Rule


class Exchange(sending.Sending):
    """See the module."""

    __slots__ = ("_again", "_later_down", "_over")

    def __init__(
        self,
        agent: parties.Agent,
        shared: parties.Shared,
        asked: routes.Asked,
        credential: credentials.Credential | None,
        redacted: "redacting.Redacted | None" = None,
    ) -> None:
        super().__init__(agent, shared, asked, credential, redacted)
        self._later_down = b""
        self._again = False
        """What came of the answer is still being taken apart."""
        self._over: bool | None = None

    # What the upstream's connection tells.

    def received(self, data: bytes) -> None:
        """Take a piece of the answer."""
        if self.done:
            return
        if self._again:
            self._later_down += data
        else:
            self._take(data)

    def ended(self, *, clean: bool) -> None:
        """Take the end of the upstream's connection: of the answer too, where it ends so."""
        self._connection = None
        if self._again:
            self._over = clean  # All of it is here, and is still being taken apart.
            return
        last = self._relaying.ended(clean=clean)
        if last is not None:
            self._taken(last)
        elif self._relaying.answer is None:
            self._died()
        else:
            self.fail(_RULE.UPSTREAM_UNAVAILABLE)

    def _died(self) -> None:
        request = self.asked.request
        nothing_sent = not request.length and self._relaying.silent
        if self._pooled and nothing_sent and request.method in requests.IDEMPOTENT:
            self._sent = False
            self._agent.enter(Phase.DIALLING)
            self._dial(secure=False)
            return
        host = self.asked.route.authority.host.name
        self._unanswered(_RULE.UPSTREAM_UNAVAILABLE, f"the upstream {host} hung up without an answer")

    # The answer.

    @property
    def keep(self) -> bool:
        """Say whether the agent's connection may carry its next request."""
        return self.asked.request.keep and self.body_done

    def _take(self, data: bytes) -> None:
        begun = self._relaying.answer is not None
        passed = self._relaying.feed(data, keep=self.keep)
        answer = self._relaying.answer
        if not begun and answer is not None:
            self._agent.enter(Phase.ANSWERED)
            self._answered(answer)
        self._taken(passed)

    def _taken(self, passed: relaying.Passed) -> None:
        if passed.rule is not None:
            self._observe(passed.content)
            self._bad(passed.rule, passed.problem)
            return
        if passed.later or passed.behind:
            self._again = True
            self._later_down = passed.later
            if self._connection is not None:
                self._connection.brake.pull(brake.Why.LATER)
            self._agent.soon(self._again_down)
        if passed.done:
            self._complete(passed)
        else:
            self._tell(passed.data)
            self._observe(passed.content)

    def _answered(self, answer: responses.Answer) -> None:
        """Take the answer's head."""

    def _observe(self, content: list[bytes]) -> None:
        """Take the answer's content, which the agent has got by now."""

    def _again_down(self) -> None:
        if self.done:
            return
        later, self._later_down, self._again = self._later_down, b"", False
        if self._connection is not None:
            self._connection.brake.release(brake.Why.LATER)
        self._take(later)
        if self._over is not None and not self._again and not self.done:
            self.ended(clean=self._over)

    def _tell(self, data: bytes) -> None:
        if data:
            self._told = True
            self._agent.write(data)

    def _complete(self, passed: relaying.Passed) -> None:
        answer = self._relaying.answer
        assert answer is not None
        self._tell(passed.data)
        self._observe(passed.content)
        self._whole()
        connection, self._connection = self._connection, None
        if connection is not None and answer.keep and self.body_done and self._all_sent and not passed.rest:
            connection.brake.release(brake.Why.OTHER_SIDE | brake.Why.LATER | brake.Why.READING)
            self._shared.keep(connection, nanoseconds=exchanges.keep_for(answer.keep_seconds))
        elif connection is not None:
            connection.close()
        keep = self.keep
        self._finish(None, answer.status)
        self._agent.over(keep=keep)

    @property
    def _all_sent(self) -> bool:
        """Say whether nothing of the request waits here, where all of it has come."""
        return True

    def _whole(self) -> None:
        """Take word that the answer is complete."""

    def _bad(self, rule: contract.Rule, problem: str) -> None:
        if self._told:
            self.fail(rule)
            return
        self._unanswered(rule, f"of the upstream {self.asked.route.authority.host.name}: {problem}")
