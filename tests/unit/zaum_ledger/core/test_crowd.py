"""Who may stay of those that connect: a flood takes places from itself."""

from hypothesis import given
from hypothesis import strategies as st

from zaum_ledger.core.crowd import Crowd


def crowd(most: int = 6, strangers: int = 3, each: int = 2) -> Crowd[int]:
    return Crowd(most=most, strangers=strangers, each=each)


def test_of_too_many_strangers_the_first_one_goes() -> None:
    made = crowd()
    assert [made.came(number) for number in range(5)] == [None, None, None, 0, 1]
    assert (made.strangers, len(made)) == (3, 3)


def test_who_is_known_does_not_go_for_a_stranger() -> None:
    made = crowd()
    made.came(0)
    assert made.known(0, "a") is None
    assert [made.came(number) for number in range(1, 5)] == [None, None, None, 1]
    assert len(made) == 4


def test_a_caller_takes_places_from_himself() -> None:
    made = crowd()
    for number, caller in ((0, "a"), (1, "b"), (2, "a")):
        made.came(number)
        assert made.known(number, caller) is None
    made.came(3)
    assert made.known(3, "a") == 0
    made.left(0)
    assert len(made) == 3


def test_where_all_places_are_known_callers_the_new_one_goes() -> None:
    made = crowd(most=2)
    for number in range(2):
        made.came(number)
        made.known(number, f"{number}")
    assert made.came(2) == 2
    made.left(0)
    assert made.came(3) is None


def test_who_has_left_or_is_known_is_not_known_again() -> None:
    made = crowd()
    made.came(0)
    made.left(0)
    assert made.known(0, "a") is None
    made.came(1)
    made.known(1, "a")
    assert made.known(1, "b") is None
    assert len(made) == 1


@given(st.lists(st.tuples(st.sampled_from(["came", "known", "left"]), st.integers(0, 30), st.sampled_from("abc"))))
def test_there_are_never_more_than_there_may_be(steps: list[tuple[str, int, str]]) -> None:
    made, here = crowd(), dict[int, str]()
    for what, number, caller in steps:
        if what == "came" and number not in here:
            here[number] = ""
            gone = made.came(number)
        elif what == "known" and here.get(number) == "":
            here[number] = caller
            gone = made.known(number, caller)
        else:
            here.pop(number, None)
            made.left(number)
            gone = None
        if gone is not None:
            del here[gone]
        assert len(made) == len(here) <= 6
        assert made.strangers == sum(not caller for caller in here.values()) <= 3
        assert all(sum(found == one for found in here.values()) <= 2 for one in "abc")
