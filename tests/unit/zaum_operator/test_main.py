"""The two entry points as far as they go without an API server."""

import pytest

from zaum_operator import __main__ as entry


def test_a_missing_setting_is_named_and_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ZAUM_NAMESPACE", raising=False)
    assert entry.main() == 2
    assert capsys.readouterr().err == "zaum-operator: ZAUM_NAMESPACE must be set\n"
