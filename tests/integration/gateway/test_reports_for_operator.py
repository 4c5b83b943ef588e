"""What an authorizer holds, asked for by the operator's own call, over TLS on loopback, and acted on as it is read."""

import asyncio
from pathlib import Path

import pytest

from tests.support.authority import Authority
from tests.support.world import START
from zaum_api import contract, documents
from zaum_gateway.core import contacts
from zaum_gateway.core import reports as held_by_authorizer
from zaum_gateway.shell import reports as endpoint
from zaum_operator.cluster import reports_call
from zaum_operator.core import reports as held_by_operator
from zaum_operator.core.keys import Key
from zaum_operator.core.snapshot import Contact

REPORT = documents.Report(
    config="sha256:x", problem="", tested=5, escapes=(documents.Escape("metadata", "[fd00:ec2::254]:80", "connected"),),
    requests=12, denied=3, would_deny=0, missing=("model",),
)  # fmt: skip
AT = int(START.timestamp())


class Authorizer:
    """One authorizer's endpoint, with what it holds, for one token."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        authority = Authority(directory)
        authority.issue(contract.AUTHORIZER_TLS_NAME, "tls")
        (directory / "token").write_text("good")
        self.kept = {"u": held_by_authorizer.Kept(AT, "agents", "zaum-researcher-0-0a1b2", REPORT.dump())}
        self.latched = [contacts.Contact("u", "agents", "zaum-researcher-0-0a1b2", contract.Rule.TOKEN_MISSING, AT)]

    async def judge(self, header: str) -> str:
        return "" if header == "Bearer good" else "not the operator's"

    def ask(self) -> bytes:
        async def run() -> bytes:
            serving = endpoint.Reports(
                self.judge,
                lambda: held_by_authorizer.document(self.kept, self.latched),
                lambda _: documents.Seen(ready=False, listed=0),
            )
            server = await serving.serve("127.0.0.1", 0, self.directory)
            async with server:
                port = server.sockets[0].getsockname()[1]
                ca, token = self.directory / "ca.crt", self.directory / "token"
                return await reports_call.ask("127.0.0.1", port, ca, token)

        return asyncio.run(run())


def test_what_a_watchdog_said_reaches_the_operator_word_for_word(tmp_path: Path) -> None:
    batch = held_by_operator.parse(Authorizer(tmp_path).ask())
    held = held_by_operator.Held()
    assert batch.unreadable == 0
    assert held.take([batch], now=START, seconds=0) == {Key("agents", "researcher")}
    assert held.reports(["u"])["u"].report == REPORT
    assert held.contacts(["u"]) == {"u": Contact("identity.tokenMissing", AT)}


def test_another_token_gets_nothing(tmp_path: Path) -> None:
    made = Authorizer(tmp_path)
    (tmp_path / "token").write_text("another")
    with pytest.raises(reports_call.CallError, match="401"):
        made.ask()


def test_as_much_as_an_authorizer_ever_holds_is_read(tmp_path: Path) -> None:
    made = Authorizer(tmp_path)
    one = made.kept["u"]
    made.kept = {f"{index:036}": one for index in range(held_by_authorizer.REPORTS_MAX)}
    assert len(held_by_operator.parse(made.ask()).said) == held_by_authorizer.REPORTS_MAX
