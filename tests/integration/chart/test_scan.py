"""The scanner finds nothing in what Zaum renders, and does find what is wrong."""

import yaml

from tests.integration.chart import rendering, scan


def test_nothing_fails_and_nothing_is_skipped() -> None:
    result = scan.scan(scan.manifests())
    assert result.failures == ()
    assert result.clean, result


def test_the_scanner_sees_what_is_wrong() -> None:
    items = rendering.objects()
    spec = rendering.only(items, "Deployment", "zaum-gateway")["spec"]["template"]["spec"]
    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    result = scan.scan({"chart.yaml": yaml.safe_dump_all(items)})
    assert not result.clean
    assert any("zaum-gateway" in failure for failure in result.failures)
