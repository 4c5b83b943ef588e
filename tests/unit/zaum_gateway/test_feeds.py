"""List and watch, over a simulated API."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from zaum_api import contract, documents
from zaum_gateway.cluster import api, feeds, mirror

Event = tuple[str, api.Body]


def pod(uid: str, version: str = "1") -> dict[str, Any]:
    labels = {contract.LABEL_AGENT: "true", contract.LABEL_POLICY: "demo"}
    return {"metadata": {"namespace": "agents", "name": uid, "uid": uid, "resourceVersion": version, "labels": labels}}


class Simulated:
    """Answers from a script: lists and watches in order, an exception where one is to be raised."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.asked: list[str] = []

    async def gather(self, path: str, selector: str) -> tuple[list[api.Body], str]:
        self.asked.append(f"list {path} {selector}".strip())
        return self._next()  # type: ignore[no-any-return]

    async def watch(self, path: str, selector: str, version: str) -> AsyncIterator[Event]:
        self.asked.append(f"watch {version}")
        for event in self._next():
            if isinstance(event, Exception):
                raise event
            yield event

    def _next(self) -> Any:
        if not self.script:
            raise asyncio.CancelledError
        item = self.script.pop(0)
        if isinstance(item, Exception):
            raise item
        return item


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def follow(*script: Any) -> tuple[Simulated, mirror.Pods, feeds.Feed]:
    """Run a feed until the script is used up."""
    source, pods = Simulated(*script), mirror.Pods()
    feed = feeds.Feed(path="/pods", selector="ours", sink=pods, clock=Clock())

    async def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            await feed.run(source)

    asyncio.run(run())
    return source, pods, feed


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(api, "pause", pause)
    return waited


def test_a_list_and_its_events_make_the_state() -> None:
    source, pods, feed = follow(
        ([pod("a"), pod("b")], "5"), [("ADDED", pod("c", "6")), ("DELETED", pod("a", "7")), ("MODIFIED", pod("b", "8"))]
    )
    assert set(pods.view) == {"b", "c"}
    assert source.asked == ["list /pods ours", "watch 5", "watch 8"]
    assert feed.heard is not None


def test_a_watch_goes_on_from_its_bookmark() -> None:
    source, pods, _ = follow(([pod("a")], "5"), [("BOOKMARK", {"metadata": {"resourceVersion": "9"}})])
    assert source.asked[-1] == "watch 9"
    assert set(pods.view) == {"a"}


def test_an_expired_version_lists_again_and_replaces_everything() -> None:
    source, pods, _ = follow(([pod("a")], "5"), api.Expired("old"), ([pod("b")], "50"))
    assert source.asked == ["list /pods ours", "watch 5", "list /pods ours", "watch 50"]
    assert set(pods.view) == {"b"}


def test_i08_an_outage_keeps_the_last_known_state(no_waiting: list[float]) -> None:
    outage = [api.Unreachable("down")] * 7
    source, pods, _ = follow(([pod("a")], "5"), *outage, [("ADDED", pod("b", "6"))])
    assert set(pods.view) == {"a", "b"}
    assert source.asked.count("list /pods ours") == 1, "the watch goes on where it ended"
    assert no_waiting == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_watch_that_breaks_off_goes_on_from_its_last_event() -> None:
    source, pods, _ = follow(([], "5"), [("ADDED", pod("a", "6")), api.Unreachable("cut")], [])
    assert source.asked == ["list /pods ours", "watch 5", "watch 6", "watch 6"]
    assert set(pods.view) == {"a"}


def test_an_event_of_an_unknown_type_is_not_guessed_at() -> None:
    _, pods, _ = follow(([pod("a")], "5"), [("RENAMED", pod("a", "6"))])
    assert set(pods.view) == {"a"}


class Waiting(Simulated):
    """Its watches say nothing for ever, once the script's are used up; `idle` is set meanwhile."""

    def __init__(self, *script: Any) -> None:
        super().__init__(*script)
        self.idle = asyncio.Event()

    async def watch(self, path: str, selector: str, version: str) -> AsyncIterator[Event]:
        self.asked.append(f"watch {version}")
        self.idle.set()
        await asyncio.Event().wait()
        yield ("BOOKMARK", {})


def refreshed(source: Waiting, *, times: int = 1) -> tuple[mirror.Pods, feeds.Feed]:
    """Follow a feed, and want a list as soon as it waits for news, so many times."""
    pods = mirror.Pods()
    feed = feeds.Feed(path="/pods", selector="ours", sink=pods, clock=Clock())

    async def run() -> None:
        following = asyncio.create_task(feed.run(source))
        for _ in range(times + 1):
            await asyncio.wait_for(source.idle.wait(), 5)
            source.idle.clear()
            feed.refresh()
        with pytest.raises(asyncio.CancelledError):
            await following

    asyncio.run(run())
    return pods, feed


def test_a_list_that_is_wanted_ends_the_watch_and_replaces_everything() -> None:
    source = Waiting(([pod("a")], "5"), ([pod("b")], "9"))
    pods, feed = refreshed(source)
    assert source.asked == ["list /pods ours", "watch 5", "list /pods ours", "watch 9", "list /pods ours"]
    assert (set(pods.view), set(pods.gone)) == ({"b"}, {"a"})
    assert feed.listed is not None
    assert feed.listed > 101, "it counts from when it was asked for"


def test_a_list_that_is_wanted_twice_at_once_is_asked_for_once() -> None:
    source = Waiting(([pod("a")], "5"), ([pod("b")], "9"))
    feed = feeds.Feed(path="/pods", selector="ours", sink=mirror.Pods(), clock=Clock())

    async def run() -> None:
        following = asyncio.create_task(feed.run(source))
        await asyncio.wait_for(source.idle.wait(), 5)
        source.idle.clear()
        feed.refresh()
        await asyncio.sleep(0)  # The watch is being ended, and has not ended.
        feed.refresh()
        await asyncio.wait_for(source.idle.wait(), 5)
        following.cancel()

    asyncio.run(run())
    assert source.asked == ["list /pods ours", "watch 5", "list /pods ours", "watch 9"]


def test_a_list_that_is_wanted_and_does_not_come_is_wanted_on_and_takes_nothing_away() -> None:
    source = Waiting(([pod("a")], "5"), api.Unreachable("down"), ([pod("a"), pod("b")], "9"))
    pods, _ = refreshed(source)
    assert source.asked[2:5] == ["list /pods ours", "list /pods ours", "watch 9"]
    assert set(pods.view) == {"a", "b"}


def test_before_the_first_list_nothing_was_heard() -> None:
    _, _, feed = follow(api.Unreachable("down"))
    assert feed.heard is None


def policy(host: str, uid: str = "u", version: str = documents.EFFECTIVE_VERSION) -> dict[str, Any]:
    effective = documents.Effective(hosts=(documents.HostRule(host=host),)).write() | {"documentVersion": version}
    return {
        "metadata": {"namespace": "agents", "name": "demo", "uid": uid},
        "status": {"effective": effective},
    }


def table(policies: mirror.Policies) -> set[str]:
    found = policies.view["agents", "demo"].table
    return set(found.exact) if found else set()


def test_a_policy_keeps_its_last_good_document_until_it_is_gone() -> None:
    policies = mirror.Policies("cluster.local")
    policies.replace([policy("a.example.com")])
    policies.put(policy("b.example.com", version="v9"))
    assert table(policies) == {"a.example.com"}
    policies.replace([policy("c.example.com", version="v9")])
    assert table(policies) == {"a.example.com"}, "a list is no reason to forget it"
    policies.remove(policy("a.example.com"))
    assert policies.view == {}
    policies.put(policy("b.example.com", version="v9"))
    assert table(policies) == set()


def test_a_list_of_one_namespace_replaces_nothing_of_another() -> None:
    whole = mirror.Pods()
    here, there = mirror.Share(whole, "agents"), mirror.Share(whole, "others")
    elsewhere = pod("c")
    elsewhere["metadata"]["namespace"] = "others"
    here.replace([pod("a"), pod("b")])
    there.replace([elsewhere])
    here.replace([pod("b")])
    assert set(whole.view) == {"b", "c"}
    here.remove(pod("b"))
    here.put(pod("d"))
    assert set(whole.view) == {"c", "d"}


def test_a_policy_of_another_namespace_stays_through_a_list() -> None:
    whole = mirror.Policies("cluster.local")
    here, there = mirror.Share(whole, "agents"), mirror.Share(whole, "others")
    elsewhere = policy("b.example.com")
    elsewhere["metadata"]["namespace"] = "others"
    there.replace([elsewhere])
    here.replace([policy("a.example.com")])
    here.replace([])
    assert set(whole.view) == {("others", "demo")}


@pytest.mark.parametrize(
    ("namespace", "pods", "policies"),
    [
        ("", "/api/v1/pods", "/apis/zaum.dev/v1alpha1/agentpolicies"),
        ("a", "/api/v1/namespaces/a/pods", "/apis/zaum.dev/v1alpha1/namespaces/a/agentpolicies"),
    ],
)
def test_what_is_read_is_of_the_namespace_alone(namespace: str, pods: str, policies: str) -> None:
    assert (mirror.pods_path(namespace), mirror.policies_path(namespace)) == (pods, policies)
