"""python -m tests.redaction: precision and recall of the redactor on the labelled corpus, class by class.

`--splits`: every split in two and in three gives the same: of each sample as text and in JSON, of some as events.
`--stalls`: the longest turn and the cost on 1 MiB of bodies that are meant to hold the loop up.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "crds"), str(ROOT / "sandbox")]

from tests.redaction import bodies, corpus, score, splits, stalls  # noqa: E402  # from the checkout
from zaum_watchdog.core.redaction.redactor import Format  # noqa: E402
from zaum_watchdog.shell import prefilter  # noqa: E402

SPLIT_EACH = 100
"""Samples of each class that are split, where nobody says how many."""
STREAMED = 11
"""Of so many samples one is streamed too: its events are as long as ten texts. No even number, which would take values
alone and no lookalikes."""
STREAMED_MAX = 100
WIDEST = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=corpus.SEED)
    parser.add_argument("--each", type=int, help="samples of each class, and as many lookalikes")
    parser.add_argument("--odd", type=int, default=0, help="show so many samples that were not as labelled")
    parser.add_argument("--stalls", action="store_true", help="measure turns instead")
    parser.add_argument("--splits", action="store_true", help="split the samples instead")
    asked = parser.parse_args()
    if asked.stalls:
        _stalls()
        return
    each = asked.each or (SPLIT_EACH if asked.splits else corpus.EACH)
    print(f"redaction: seed {asked.seed}, {each} samples of each class and as many lookalikes", flush=True)
    if asked.splits:
        _splits(list(corpus.samples(asked.seed, each)))
    else:
        _scores(asked.seed, each, asked.odd)


def _scores(seed: int, each: int, shown: int) -> None:
    scores, odd = score.scored(corpus.samples(seed, each), prefilter.load())
    for sample, found in odd[:shown]:
        said = [(one.kind.value, sample.text[one.start : one.end][:60]) for one in found]
        print(sample.about.value, sample.text[:160], said)
    for kind, one in scores.items():
        print(
            f"redaction: {kind.value:9} precision {one.precision:.4f} recall {one.recall:.4f}"
            f" exact {one.exact / max(1, one.right):.4f}"
            f" (right {one.right}, wrong {one.wrong}, missed {one.missed})"
        )


def _splits(samples: list[corpus.Sample]) -> None:
    library = prefilter.load()
    texts = [sample.text for sample in samples]
    streamed = [text for text in texts if len(text) <= STREAMED_MAX][::STREAMED]
    for form, chosen in ((Format.TEXT, texts), (Format.JSON, texts), (Format.EVENTS, streamed)):
        counted = splits.Counted()
        for text in chosen:
            body = bodies.written(text, form, widest=WIDEST)
            if cuts := splits.Splits(library, form, body).every(counted):
                sys.exit(f"redaction: {body!r} comes out differently when it is cut at {cuts}")
        print(
            f"redaction: {len(chosen)} samples as {form.name.lower()}: {counted.in_two} splits in two and"
            f" {counted.in_three} in three gave the same, by {counted.ways} ways",
            flush=True,
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
