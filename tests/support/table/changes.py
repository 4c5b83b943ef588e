"""Changes to a stored policy: what a Task is cannot be changed under its pod."""

from typing import Final

from tests.support.table.case import IMAGE, Change, agent, entry, pods, task

_TASK = {**task(resources={"cpu": "500m"}), "lifetime": {"max": "2h"}, "identity": {"token": {"audience": "a"}}}

GOOD: Final = (
    Change("a Service's image", agent(), {"agent": {"image": "registry.example/other:2"}}),
    Change("a Service's size", agent(replicas=1), agent(replicas=3)),
    Change("a Service that says that it is one", agent(), agent(type="Service")),
    Change("a Service's life", {**agent(), "lifetime": {"max": "1h"}}, {**agent(), "lifetime": {"max": "2h"}}),
    Change("a Service's life without end", {**agent(), "lifetime": {"max": "1h"}}, agent()),
    Change("a Service's token", {**agent(), "identity": {"token": {"audience": "a"}}}, agent()),
    Change("the same Task", _TASK, _TASK),
    Change("a Task, stopped", _TASK, {**_TASK, "desiredState": "Stopped"}),
    Change("a Task's hosts", _TASK, {**_TASK, "egress": {"hosts": [{"host": "docs.example.com"}]}}),
    Change("a Task's limits", _TASK, {**_TASK, "limits": {"connections": 0}}),
    Change("a Task's doors", _TASK, {**_TASK, "ingress": [entry(8080, pods(app="a"))]}),
    Change("a Task's shorter life", _TASK, {**_TASK, "lifetime": {"max": "1h"}}),
    Change("a Task's life, spelt otherwise", _TASK, {**_TASK, "lifetime": {"max": "120m"}}),
    Change("a Task's first end", task(), {**task(), "lifetime": {"max": "1h"}}),
)
_TYPE, _AGENT = "spec.agent.type cannot be changed", "spec.agent of a Task cannot be changed"
_TOKEN, _LIFE = "spec.identity of a Task cannot be changed", "spec.lifetime.max of a Task cannot be raised"

BAD: Final = (
    Change("a Service into a Task", agent(), task(), _TYPE),
    Change("a Task into a Service", task(), agent(), _TYPE),
    Change("a Task into a Service by name", task(), agent(type="Service"), _TYPE),
    Change("a Task's image", _TASK, {**_TASK, "agent": {**_TASK["agent"], "image": f"{IMAGE[:-1]}1"}}, _AGENT),
    Change("a Task's command", _TASK, {**_TASK, "agent": {**_TASK["agent"], "command": ["other"]}}, _AGENT),
    Change("a Task's quantity", _TASK, {**_TASK, "agent": {**_TASK["agent"], "resources": {"cpu": "1"}}}, _AGENT),
    Change("less of a Task", _TASK, {**_TASK, "agent": task()["agent"]}, _AGENT),
    Change("a Task's replicas, said", task(), task(replicas=1), _AGENT),
    Change("a Task's audience", _TASK, {**_TASK, "identity": {"token": {"audience": "b"}}}, _TOKEN),
    Change("a Task's token, removed", _TASK, {**task(resources={"cpu": "500m"}), "lifetime": {"max": "2h"}}, _TOKEN),
    Change("a Task's token, added", task(), {**task(), "identity": {"token": {"audience": "a"}}}, _TOKEN),
    Change("a Task's longer life", _TASK, {**_TASK, "lifetime": {"max": "121m"}}, _LIFE),
    Change("a Task's life without end", _TASK, {**_TASK, "lifetime": {}}, _LIFE),
)
