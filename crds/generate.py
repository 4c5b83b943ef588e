"""Write the CRD from the models: `python crds/generate.py` writes, `--check` fails when a file is not current."""

import argparse
import pathlib
import sys
from typing import Any, Final

import yaml

from zaum_api import contract, structural
from zaum_api.v1alpha1 import policy

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
NAME: Final = f"{contract.PLURAL_POLICY}.{contract.GROUP}"
FILE: Final = f"{contract.GROUP}_{contract.PLURAL_POLICY}.yaml"
TARGETS: Final = (ROOT / "crds" / FILE, ROOT / "charts" / "zaum" / "crds" / FILE)
HEADER: Final = "# Generated from crds/zaum_api by `make crds`. Edit the models, not this file.\n"
_READY: Final = '.status.conditions[?(@.type=="Ready")]'


def schema() -> dict[str, Any]:
    """Give the structural schema of an AgentPolicy, with the rule on its name."""
    exported = structural.export(policy.AgentPolicy.model_json_schema())
    exported["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    exported["required"] = ["spec"]
    exported["x-kubernetes-validations"] = [policy.NAME_RULE.schema()]
    return exported


def crd() -> dict[str, Any]:
    """Give the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME, "labels": {contract.LABEL_NAME: contract.APP_NAME}},
        "spec": {
            "group": contract.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": contract.KIND_POLICY,
                "listKind": f"{contract.KIND_POLICY}List",
                "plural": contract.PLURAL_POLICY,
                "singular": contract.KIND_POLICY.lower(),
                "shortNames": ["ap"],
                "categories": ["zaum"],
            },
            "versions": [
                {
                    "name": contract.VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema()},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                }
            ],
        },
    }


def render() -> str:
    """Give the file's text."""
    return HEADER + yaml.safe_dump(crd(), sort_keys=False, allow_unicode=True, width=120)


def _columns() -> list[dict[str, str]]:
    return [
        {"name": "State", "type": "string", "jsonPath": ".spec.desiredState"},
        {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
        {"name": "Reason", "type": "string", "jsonPath": f"{_READY}.reason"},
        {"name": "Replicas", "type": "integer", "jsonPath": ".status.replicas"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def main(arguments: list[str]) -> int:
    """Write both copies, or with --check compare them; exit code 1 when one is not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not current")
    check = parser.parse_args(arguments).check
    text = render()
    stale = [path for path in TARGETS if not path.exists() or path.read_text() != text]
    for path in () if check else stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)}: {'not current, run make crds' if check else 'written'}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
