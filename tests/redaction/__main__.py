"""python -m tests.redaction: precision and recall of the redactor on the labelled corpus, class by class.

`--stalls`: the longest turn and the cost on 1 MiB of bodies that are meant to hold the loop up.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "crds"), str(ROOT / "sandbox")]

from tests.redaction import corpus, score, stalls  # noqa: E402  # from the checkout
from zaum_watchdog.shell import prefilter  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=corpus.SEED)
    parser.add_argument("--each", type=int, default=corpus.EACH, help="samples of each class, and as many lookalikes")
    parser.add_argument("--odd", type=int, default=0, help="show so many samples that were not as labelled")
    parser.add_argument("--stalls", action="store_true", help="measure turns instead")
    asked = parser.parse_args()
    if asked.stalls:
        _stalls()
        return
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


def _stalls() -> None:
    library = prefilter.load()
    all_worst = 0.0
    for name, (form, body) in stalls.cases(1 << 20).items():
        # What something else on the machine held up once is not held up twice in the same place.
        runs = [stalls.measured(library, form, body) for _ in range(2)]
        worst = min(run.worst for run in runs)
        cost = min(run.total for run in runs) / len(body) * 1024
        all_worst = max(all_worst, worst)
        print(f"  {name:24} {cost * 1e6:7.1f} µs/KiB, longest turn {worst * 1e3:5.2f} ms")
    print(f"redaction: longest turn {all_worst * 1e3:.2f} ms on 1 MiB")


if __name__ == "__main__":
    main()
