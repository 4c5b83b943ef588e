"""The chart's file for Envoy, read without helm: the few expressions in it, and nothing else, are known here."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = ROOT / "charts/zaum/files/envoy.yaml"
_LOOP: Final = re.compile(
    r'[ ]*\{\{- range include "zaum.excluded" . \| fromJsonArray \}\}\n(.*?)[ ]*\{\{- end \}\}\n', re.DOTALL
)
_PROXIED: Final = re.compile(
    r"[ ]*\{\{- if .Values.gateway.upstreamProxy.host \}\}\n(.*?)[ ]*\{\{- end \}\}\n", re.DOTALL
)
_SIGNED: Final = re.compile(r'[ ]*\{\{- if eq .Values.gateway.hop "Signed" \}\}\n(.*?)[ ]*\{\{- end \}\}\n', re.DOTALL)
"""What is left of the conditions when those about the proxy are decided."""


@dataclass(frozen=True)
class Given:
    """What the chart's values and the cluster say."""

    namespace: str = "zaum-system"
    domain: str = "cluster.local"
    excluded: Sequence[str] | None = None
    """None: the denied ranges of values.yaml."""
    proxy: tuple[str, int] | None = None
    signed: bool = True


def text(given: Given = Given()) -> str:
    """Give the file as helm would render it."""
    ranges = denied_ranges() if given.excluded is None else given.excluded
    whole = _LOOP.sub(lambda found: "".join(_of_range(found[1], each) for each in ranges), FILE.read_text())
    whole = _PROXIED.sub(lambda found: found[1] if given.proxy else "", whole)
    whole = _SIGNED.sub(lambda found: found[1] if given.signed else "", whole)
    host, port = given.proxy or ("", 0)
    for expression, value in (
        (".Release.Namespace", given.namespace),
        (".Values.clusterDomain", given.domain),
        (".Values.gateway.upstreamProxy.host | quote", json.dumps(host)),
        ("int .Values.gateway.upstreamProxy.port", str(port)),
    ):
        whole = whole.replace("{{ " + expression + " }}", value)
    assert "{{" not in whole, "a part of the template that nothing here knows"
    return whole


def load(given: Given = Given()) -> dict[str, Any]:
    """Give the file as data."""
    config: dict[str, Any] = yaml.safe_load(text(given))
    return config


def denied_ranges() -> list[str]:
    """Give the ranges that values.yaml denies."""
    ranges: list[str] = yaml.safe_load((ROOT / "charts/zaum/values.yaml").read_text())["network"]["deniedRanges"]
    return ranges


def _of_range(line: str, cidr: str) -> str:
    address, _, length = cidr.partition("/")
    line = line.replace('{{ index (splitList "/" .) 0 | quote }}', json.dumps(address))
    return line.replace('{{ index (splitList "/" .) 1 }}', length)
