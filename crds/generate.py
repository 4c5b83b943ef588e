"""Write what follows from the models: `python crds/generate.py` writes, `--check` fails when a file is not current."""

import argparse
import pathlib
import sys
from typing import Any, Final

import yaml

import definitions
from reference import conditions, fields

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
CRD_FOLDERS: Final = ("crds", "charts/zaum/files/crds")
"""Below ROOT: every folder that holds the CRDs."""
HEADER: Final = "# Generated from crds/zaum_api by `make crds`. Edit the models, not this file.\n"


class _Plain(yaml.SafeDumper):
    """Writes equal parts out each time: a reader of a CRD does not look for anchors."""

    def ignore_aliases(self, data: object) -> bool:
        """Say that nothing is an alias."""
        return True


def render(crd: dict[str, Any]) -> str:
    """Give a CRD's text."""
    return HEADER + yaml.dump(crd, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


def files() -> dict[str, str]:
    """Give every generated file: its path below the root, and its text."""
    crds = {definition.file: render(definition.crd()) for definition in definitions.ALL}
    written = {f"{folder}/{name}": text for folder in CRD_FOLDERS for name, text in crds.items()}
    return {**written, "docs/api.md": fields.page(), "docs/conditions.md": conditions.page()}


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them; exit code 1 when one is not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not current")
    check = parser.parse_args(arguments).check
    stale = {name: text for name, text in files().items() if not _is_current(ROOT / name, text)}
    for name, text in stale.items():
        if not check:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text)
        sys.stdout.write(f"{name}: {'not current, run make crds' if check else 'written'}\n")
    return 1 if check and stale else 0


def _is_current(path: pathlib.Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
