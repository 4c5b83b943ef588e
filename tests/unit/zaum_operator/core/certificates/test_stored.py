"""Patches that write only on top of what was seen."""

import base64

import pytest

from zaum_operator.core.certificates import stored


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_write_names_the_revision_that_was_seen() -> None:
    (patch,) = stored.patches(seen=6, data={"ca.crt": b"PEM", "revision": b"7"})
    assert patch == [
        {"op": "test", "path": "/data/revision", "value": b64("6")},
        {"op": "add", "path": "/data/ca.crt", "value": b64("PEM")},
        {"op": "add", "path": "/data/revision", "value": b64("7")},
    ]


def test_a_first_write_takes_an_empty_secret_and_one_with_data_of_others() -> None:
    empty, others = stored.patches(seen=0, data={"revision": b"1"})
    assert empty == [
        {"op": "test", "path": "/data", "value": None},
        {"op": "add", "path": "/data", "value": {"revision": b64("1")}},
    ]
    assert others == [
        {"op": "test", "path": "/data/revision", "value": None},
        {"op": "add", "path": "/data/revision", "value": b64("1")},
    ]


def test_i15_a_leafs_key_is_not_remembered_from_an_answer() -> None:
    answer = {key: b64(key) for key in ("ca.crt", "tls.crt", "tls.key", "client.crt", "client.key", "revision")}
    assert stored.decoded(answer, name="zaum-gateway-tls").keys() == {"ca.crt", "tls.crt", "client.crt", "revision"}
    assert "tls.key" in stored.decoded(answer, name="zaum-ca")


@pytest.mark.parametrize(
    ("text", "value"), [(b"12", 12), (b" 3\n", 3), (b"", 0), (b"-1", 0), (b"x", 0), (b"9" * 19, 0)]
)
def test_a_revision_that_cannot_be_read_is_none(text: bytes, value: int) -> None:
    assert stored.number({"revision": text}, "revision") == value
    assert stored.number({}, "revision") == 0
