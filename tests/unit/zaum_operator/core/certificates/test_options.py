"""What the environment says of certificates."""

from datetime import timedelta

import pytest

from zaum_operator.core.certificates import options


def test_defaults() -> None:
    told = options.read({})
    assert told.maker is options.Maker.OPERATOR
    assert told.lives.authority == timedelta(days=365)
    assert told.lives.leaf == timedelta(days=90)
    assert told.lives.settle == timedelta(minutes=5)
    assert told.lives.problem() == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZAUM_CERTIFICATES", "Nobody"),
        ("ZAUM_CA_SECONDS", "a year"),
        ("ZAUM_CA_SECONDS", "0"),
        ("ZAUM_LEAF_SECONDS", "-1"),
        ("ZAUM_LEAF_SECONDS", "31536000"),
        ("ZAUM_SETTLE_SECONDS", "1e3"),
        ("ZAUM_SETTLE_SECONDS", "²"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        options.read({name: value})
