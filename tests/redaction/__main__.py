"""python -m tests.redaction: precision and recall of the redactor on the labelled corpus, class by class.

`--splits`: every split in two of every sample, and every split in three of those up to SHORT bytes, gives the same.
`--stalls`: the longest turn and the cost on 1 MiB of bodies that are meant to hold the loop up.
"""

import argparse
import itertools
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "crds"), str(ROOT / "sandbox")]

from tests.redaction import bodies, corpus, score, stalls  # noqa: E402  # from the checkout
from zaum_watchdog.shell import prefilter  # noqa: E402

SHORT = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=corpus.SEED)
    parser.add_argument("--each", type=int, default=corpus.EACH, help="samples of each class, and as many lookalikes")
    parser.add_argument("--odd", type=int, default=0, help="show so many samples that were not as labelled")
    parser.add_argument("--stalls", action="store_true", help="measure turns instead")
    parser.add_argument("--splits", action="store_true", help="split the samples instead")
    asked = parser.parse_args()
    if asked.splits:
        _splits(corpus.samples(asked.seed, asked.each))
        return
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


def _splits(samples: Iterable[corpus.Sample]) -> None:
    library = prefilter.load()
    counts = {2: 0, 3: 0}
    for sample in samples:
        whole = bodies.Run(library).over(sample.text)
        for parts in counts if len(sample.text) <= SHORT else (2,):
            for cuts in itertools.combinations(range(1, len(sample.text)), parts - 1):
                if bodies.Run(library).over(sample.text, cuts) != whole:
                    sys.exit(f"redaction: {sample.text!r} comes out differently when cut at {cuts}")
                counts[parts] += 1
    print(f"redaction: {counts[2]} splits in two and {counts[3]} in three gave the same")


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
