import pytest

from zaum_operator import settings

LEAST = {"ZAUM_NAMESPACE": "zaum-system", "ZAUM_WATCHDOG_IMAGE": "registry.example/w"}


def test_the_least_that_must_be_said() -> None:
    found = settings.from_environment(LEAST)
    assert (found.workers, found.resync_seconds, found.log_level) == (16, 300, "INFO")
    assert str(found.gateway_ca_file) == "/etc/zaum/ca/ca.crt"
    assert (found.site.release_namespace, found.site.image_pull_policy) == ("zaum-system", "Always")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZAUM_NAMESPACE", ""),
        ("ZAUM_WATCHDOG_IMAGE", " "),
        ("ZAUM_IMAGE_PULL_POLICY", "always"),
        ("ZAUM_WORKERS", "0"),
        ("ZAUM_WORKERS", "many"),
        ("ZAUM_RESYNC_SECONDS", "4"),
        ("ZAUM_RESYNC_SECONDS", "1e3"),
        ("ZAUM_LOG_LEVEL", "verbose"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(settings.SettingsError, match=name):
        settings.from_environment(LEAST | {name: value})
