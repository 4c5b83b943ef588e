"""How well the redactor finds what is labelled, class by class."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.redaction.corpus import Label, Sample
from zaum_api import documents
from zaum_watchdog.core.redaction import classes, lane, searching
from zaum_watchdog.core.redaction.classes import Kind

_ALL = documents.Classes(*[documents.Redact.MASK] * 6)


@dataclass(slots=True)
class Score:
    """Of one class. `exact`: of the right ones, those with the label's very offsets."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    exact: int = 0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed)


def found_in(text: bytes, prefilter: searching.Prefilter) -> list[Label]:
    """Give what is found in a text."""
    search = searching.Search(prefilter, classes.actions(_ALL))
    one = lane.Lane(search, lambda hit: hit.kind.value.encode(), names=False)
    one.add(text, 0)
    return [Label(edit.start, edit.end, Kind(edit.instead.decode())) for edit in one.decide(final=True)]


def scored(
    samples: Iterable[Sample], prefilter: searching.Prefilter
) -> tuple[dict[Kind, Score], list[tuple[Sample, list[Label]]]]:
    """Score them all, and give the samples where something was wrong or missed, with what was found."""
    scores = {kind: Score() for kind in Kind}
    odd = []
    for sample in samples:
        found = found_in(sample.text, prefilter)
        for label in sample.labels:
            hit = [
                each for each in found if each.kind is label.kind and each.start < label.end and label.start < each.end
            ]
            scores[label.kind].right += bool(hit)
            scores[label.kind].missed += not hit
            scores[label.kind].exact += label in hit
        false = [
            each
            for each in found
            if not any(x.kind is each.kind and each.start < x.end and x.start < each.end for x in sample.labels)
        ]
        for each in false:
            scores[each.kind].wrong += 1
        if false or any(label not in found for label in sample.labels):
            odd.append((sample, found))
    return scores, odd
