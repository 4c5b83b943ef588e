import pytest

from zaum_operator import settings

LEAST = {"ZAUM_NAMESPACE": "zaum-system", "ZAUM_WATCHDOG_IMAGE": "registry.example/w"}


def test_the_least_that_must_be_said() -> None:
    found = settings.from_environment(LEAST)
    assert (found.workers, found.resync_seconds, found.log_level) == (16, 300, "INFO")
    assert str(found.gateway_ca_file) == "/etc/zaum/certificates/zaum-ca/ca.crt"
    assert (found.site.release_namespace, found.site.image_pull_policy) == ("zaum-system", "Always")
    assert (found.site.host_users, found.site.namespaced, found.rollout_max) == (True, False, 10)


def test_namespaces_make_the_namespace_scoped_mode() -> None:
    found = settings.from_environment(LEAST | {"ZAUM_WATCH_NAMESPACES": "b, a,b", "HOSTNAME": "zaum-operator-7f"})
    assert (found.watch_namespaces, found.namespaced, found.site.namespaced) == (("a", "b"), True, True)
    assert found.identity == "zaum-operator-7f"


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
        ("ZAUM_WATCH_NAMESPACES", "agents,*"),
        ("ZAUM_HOST_USERS", "yes"),
        ("ZAUM_ROLLOUT_MAX", "0"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(settings.SettingsError, match=name):
        settings.from_environment(LEAST | {name: value})
