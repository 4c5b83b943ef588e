"""How often one pod may ask."""

from zaum_ledger.core import pace


def test_a_burst_then_so_many_a_second() -> None:
    gate = pace.Pace(per_second=2, burst=4)
    assert [gate.allows("a", 100.0) for _ in range(6)] == [True] * 4 + [False] * 2
    assert [gate.allows("a", 100.5) for _ in range(2)] == [True, False]
    assert [gate.allows("a", 200.0) for _ in range(5)] == [True] * 4 + [False], "a rest gives the burst again"


def test_i12_one_pod_takes_nothing_from_another() -> None:
    gate = pace.Pace(per_second=1, burst=1)
    assert [gate.allows(key, 5.0) for key in "aabab"] == [True, False, True, False, False]


def test_who_rests_is_forgotten() -> None:
    gate = pace.Pace(per_second=1, burst=1)
    for number in range(100_050):
        gate.allows(str(number), float(number))
    assert len(gate._due) < 100
