import pytest

from zaum_watchdog.core.redaction import vault
from zaum_watchdog.core.redaction.classes import Kind
from zaum_watchdog.core.redaction.vault import Origin

KEY = b"k" * 32


def test_a_name_says_its_class_and_nothing_of_the_value() -> None:
    name = vault.Vault(KEY).name(Kind.EMAIL, b"bob@example.com", Origin.AGENT)
    assert vault.NAME.fullmatch(name)
    assert name.startswith(b"<zaum:email:")


def test_classes_have_names_of_their_own() -> None:
    names = vault.Vault(KEY)
    assert len({names.name(kind, b"x", Origin.AGENT)[-13:] for kind in Kind}) == len(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_a_name_of_each_class_is_known_again(kind: Kind) -> None:
    names = vault.Vault(KEY)
    name = names.name(kind, b"x", Origin.AGENT)
    assert vault.NAME.fullmatch(name)
    assert names.value(name, cleared=False) == b"x"


def test_who_sent_a_value_first_says_who_may_have_it() -> None:
    names = vault.Vault(KEY)
    name = names.name(Kind.CARD, b"x", Origin.UPSTREAM)
    assert names.value(name, cleared=False) is None
    assert names.value(name, cleared=True) == b"x"
    names.name(Kind.CARD, b"x", Origin.AGENT)
    names.name(Kind.CARD, b"x", Origin.UPSTREAM)
    assert names.value(name, cleared=False) == b"x"


def test_the_values_that_were_not_used_for_the_longest_time_are_forgotten_first() -> None:
    names = vault.Vault(KEY)
    first, second = (names.name(Kind.EMAIL, b"%d" % each, Origin.AGENT) for each in range(2))
    for each in range(2, vault.VALUES_MAX):
        names.name(Kind.EMAIL, b"%d" % each, Origin.AGENT)
    assert names.value(first, cleared=False) == b"0"
    names.name(Kind.EMAIL, b"one more", Origin.AGENT)
    assert names.value(second, cleared=False) is None
    assert names.value(first, cleared=False) == b"0"


def test_the_bytes_of_all_values_are_bounded() -> None:
    names = vault.Vault(KEY)
    all_names = [names.name(Kind.TOKEN, b"%d" % each + b"x" * 16_000, Origin.AGENT) for each in range(100)]
    kept = [name for name in all_names if names.value(name, cleared=False)]
    assert 60 <= len(kept) <= 65
    assert kept == all_names[-len(kept) :]


def test_a_vault_shows_no_value() -> None:
    names = vault.Vault(KEY)
    names.name(Kind.EMAIL, b"bob@example.com", Origin.AGENT)
    assert "bob" not in repr(names._kept)
