"""Write a suggestion for people, as YAML to paste into a policy, or as JSON for programs."""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from zaum_cli.core import observed, suggestion


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose traffic it is, from how many logs."""

    namespace: str
    policy: str
    pods: int


def write_yaml(subject: Subject, seen: observed.Observed, suggested: suggestion.Suggestion) -> str:
    """Write what was seen as comments, and the section."""
    counts = suggestion.counted(seen)
    lines = [
        f"AgentPolicy {subject.namespace}/{subject.policy}: what the traffic needs that its watchdogs logged",
        f"seen in {subject.pods} pods, from {seen.first} to {seen.last}: {counts['allowed']} allowed, "
        f"{counts['wouldDeny']} let pass by the mode Report alone, {counts['denied']} denied",
        *suggested.notes,
    ]
    body = yaml.dump(
        {"egress": suggested.egress}, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=10_000
    )  # fmt: skip
    return "".join(f"# {line}\n" for line in lines) + body


def write_json(subject: Subject, seen: observed.Observed, suggested: suggestion.Suggestion) -> str:
    """Write one object: `egress`, `seen` and `notes`."""
    said = {
        "egress": suggested.egress,
        "seen": {"pods": subject.pods, "from": seen.first, "to": seen.last, **suggestion.counted(seen)},
        "notes": list(suggested.notes),
    }
    return json.dumps(said, indent=2) + "\n"


class _Dumper(yaml.SafeDumper):
    """Writes lists of plain values on one line."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:  # noqa: ANN401 - as the library has it
        flat = not any(isinstance(item, dict | list) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=flat or flow_style)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401 - as the library has it
        return True
