"""python -m tests.redaction [--odd N]: precision and recall of the redactor on the labelled corpus, class by class."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "crds"), str(ROOT / "sandbox")]

from tests.redaction import corpus, score  # noqa: E402  # from the checkout
from zaum_watchdog.shell import prefilter  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=corpus.SEED)
    parser.add_argument("--each", type=int, default=corpus.EACH, help="samples of each class, and as many lookalikes")
    parser.add_argument("--odd", type=int, default=0, help="show so many samples that were not as labelled")
    asked = parser.parse_args()
    scores, odd = score.scored(corpus.samples(asked.seed, asked.each), prefilter.load())
    for sample, found in odd[: asked.odd]:
        said = [(each.kind.value, sample.text[each.start : each.end][:60]) for each in found]
        print(sample.about.value, sample.text[:160], said)
    for kind, one in scores.items():
        print(
            f"redaction: {kind.value:9} precision {one.precision:.4f} recall {one.recall:.4f}"
            f" exact {one.exact / max(1, one.right):.4f}"
            f" (right {one.right}, wrong {one.wrong}, missed {one.missed})"
        )


if __name__ == "__main__":
    main()
