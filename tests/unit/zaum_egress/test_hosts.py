"""Names in, decisions out: the one parser that watchdog, authorizer and the API share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents
from zaum_egress import hosts

SYNTAX = contract.Rule.HOST_MALFORMED
ADDRESS = contract.Rule.HOST_IS_ADDRESS
PORT = contract.Rule.PORT_NOT_NAMED

CANONICAL = [
    ("api.example.com", "api.example.com"),
    ("API.Example.COM", "api.example.com"),
    ("api.example.com.", "api.example.com"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ("_acme.my_host.example", "_acme.my_host.example"),
    ("r3---sn-abc.example", "r3---sn-abc.example"),
    ("1.2.3.4.example", "1.2.3.4.example"),
    ("0x7f.example", "0x7f.example"),
    ("a" * 63 + ".example", "a" * 63 + ".example"),
    ("svc.example", "svc.example"),
    ("notcluster.local", "notcluster.local"),
]

REFUSED = [
    # syntax
    ("", SYNTAX),
    (".", SYNTAX),
    ("..", SYNTAX),
    (".example.com", SYNTAX),
    ("example..com", SYNTAX),
    ("example.com..", SYNTAX),
    ("-a.example", SYNTAX),
    ("a-.example", SYNTAX),
    ("example.c_m", SYNTAX),
    ("a" * 64 + ".example", SYNTAX),
    (".".join(["a" * 49] * 6), SYNTAX),
    ("evil\0.example.com", SYNTAX),
    ("evil%00.example.com", SYNTAX),
    ("evil.com\r\n.example.com", SYNTAX),
    ("example.com\n", SYNTAX),
    (" example.com", SYNTAX),
    ("example.com ", SYNTAX),
    ("user@example.com", SYNTAX),
    ("evil.com\\.example.com", SYNTAX),
    ("evil.com/.example.com", SYNTAX),
    ("evil.com#.example.com", SYNTAX),
    ("evil.com?.example.com", SYNTAX),
    ("*.example.com", SYNTAX),
    ("example.com:443", SYNTAX),
    # other scripts: never mapped
    ("bücher.example", SYNTAX),
    ("straße.example", SYNTAX),
    ("\uff45\uff58ample.com", SYNTAX),
    ("127。0。0。1", SYNTAX),
    ("①②⑦.⓪.⓪.①", SYNTAX),
    ("Kelvin\u212a.example", SYNTAX),
    ("xn--.example", SYNTAX),
    ("xn--99999999.example", SYNTAX),
    ("xn--example-.example", SYNTAX),
    # inside the cluster or the machine
    ("localhost", SYNTAX),
    ("web", SYNTAX),
    ("web.localhost", SYNTAX),
    ("kubernetes.default.svc", SYNTAX),
    ("KUBERNETES.DEFAULT.SVC.", SYNTAX),
    ("cluster.local", SYNTAX),
    ("kubernetes.default.svc.cluster.local", SYNTAX),
    ("anything.Cluster.Local.", SYNTAX),
    # addresses in every spelling
    ("127.0.0.1", ADDRESS),
    ("127.0.0.1.", ADDRESS),
    ("127.1", ADDRESS),
    ("2130706433", ADDRESS),
    ("0x7f000001", ADDRESS),
    ("0X7F.1", ADDRESS),
    ("0x7f.0x0.0x0.0x1", ADDRESS),
    ("0177.0.0.01", ADDRESS),
    ("017700000001", ADDRESS),
    ("1.2.3.0x", ADDRESS),
    ("999.999.999.999", ADDRESS),
    ("example.123", ADDRESS),
    ("my_host.1", ADDRESS),
    ("::1", ADDRESS),
    ("[::1]", ADDRESS),
    ("[::]", ADDRESS),
    ("::ffff:127.0.0.1", ADDRESS),
    ("[::ffff:7f00:1]", ADDRESS),
    ("::127.0.0.1", ADDRESS),
    ("64:ff9b::a9fe:a9fe", ADDRESS),
    ("2002:a9fe:a9fe::", ADDRESS),
    ("fe80::1%eth0", ADDRESS),
    ("[fe80::1%25eth0]", ADDRESS),
    ("[127.0.0.1]", ADDRESS),
    ("[v1.example]", ADDRESS),
]


@pytest.mark.parametrize(("text", "name"), CANONICAL)
def test_a_name_has_one_canonical_form(text: str, name: str) -> None:
    assert hosts.parse_host(text) == hosts.Host(name)


@pytest.mark.parametrize(("text", "rule"), REFUSED)
def test_what_is_no_outside_name_is_refused_with_its_rule(text: str, rule: contract.Rule) -> None:
    parsed = hosts.parse_host(text)
    assert isinstance(parsed, hosts.Malformed)
    assert parsed.rule is rule


def test_another_cluster_domain_is_refused_too() -> None:
    assert isinstance(hosts.parse_host("a.corp.example", cluster_domain="corp.example"), hosts.Malformed)
    assert hosts.parse_host("a.corp.example") == hosts.Host("a.corp.example")


@given(st.text())
def test_parsing_is_total_and_idempotent(text: str) -> None:
    parsed = hosts.parse_host(text)
    if isinstance(parsed, hosts.Host):
        assert hosts.parse_host(parsed.name) == parsed
        assert parsed.name.isascii()
        assert set(parsed.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")


LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True).filter(
    lambda label: not label.startswith("xn--") and label not in {"svc", "localhost"}
)
NAMES = st.lists(LABELS, min_size=2, max_size=5).map(".".join).filter(lambda name: not name.endswith("cluster.local"))


@given(NAMES, st.data())
def test_case_and_trailing_dot_never_matter(name: str, data: st.DataObject) -> None:
    cased = "".join(data.draw(st.sampled_from([letter, letter.upper()])) for letter in name)
    dotted = cased + data.draw(st.sampled_from(["", "."]))
    assert hosts.parse_host(dotted) == hosts.Host(name)


@given(NAMES, st.integers(1, 65535).filter(lambda port: port not in contract.GATEWAY_ONLY_PORTS))
def test_an_authority_is_host_and_port(name: str, port: int) -> None:
    assert hosts.parse_authority(f"{name}:{port}") == hosts.Authority(hosts.Host(name), port)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("example.com", SYNTAX),
        ("example.com:", SYNTAX),
        ("a." * 200 + "example.com:443", SYNTAX),
        (":443", SYNTAX),
        ("example.com:0", SYNTAX),
        ("example.com:65536", SYNTAX),
        ("example.com:0443", SYNTAX),
        ("example.com:+443", SYNTAX),
        ("example.com:443 ", SYNTAX),
        ("example.com:\uff14\uff14\uff13", SYNTAX),
        ("example.com:443:443", SYNTAX),
        ("user@example.com:443", SYNTAX),
        ("https://example.com:443", SYNTAX),
        ("[::1]:443", ADDRESS),
        ("[::1]", SYNTAX),
        ("::1:443", ADDRESS),
        ("127.0.0.1:443", ADDRESS),
        ("", SYNTAX),
        ("example.com:53", PORT),
        ("example.com:853", PORT),
        ("example.com:15442", PORT),
        ("example.com:15445", PORT),
        ("example.com:15453", PORT),
        ("127.0.0.1:53", ADDRESS),
    ],
)
def test_what_is_no_authority_is_refused(text: str, rule: contract.Rule) -> None:
    parsed = hosts.parse_authority(text)
    assert isinstance(parsed, hosts.Malformed)
    assert parsed.rule is rule


@pytest.mark.parametrize("port", [52, 54, 852, 854, 15441, 15454])
def test_the_ports_beside_the_gateways_own_are_any_ports(port: int) -> None:
    assert hosts.parse_authority(f"example.com:{port}") == hosts.Authority(hosts.Host("example.com"), port)


def test_i05_a_policy_that_names_a_port_of_the_gateways_own_opens_none() -> None:
    parsed = hosts.parse_authority("example.com:53")
    assert isinstance(parsed, hosts.Malformed), "the table is never asked"
    assert "no policy names it" in parsed.problem


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("*.Example.com.", "*.example.com"), ("example.com", "example.com"), ("*.co.example", "*.co.example")],
)
def test_a_pattern_has_one_canonical_form(text: str, canonical: str) -> None:
    pattern = hosts.parse_pattern(text)
    assert isinstance(pattern, hosts.Pattern)
    assert pattern.text == canonical


@pytest.mark.parametrize(
    "text",
    ["*", "*.", "*.com", "*.svc", "*.default.svc", "*.cluster.local", "*.*.example.com", "a.*.example.com",
     "a*.example.com", "**.example.com", "*example.com", "*.127.0.0.1", "*.[::1]", " *.example.com", ""],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(text: str) -> None:
    assert isinstance(hosts.parse_pattern(text), hosts.Malformed)


RULES = (
    documents.HostRule("api.example.com"),
    documents.HostRule("*.example.org", (443, 8443)),
    documents.HostRule("both.example.org", (22,)),
    documents.HostRule("api.example.com", (8443,)),
)

DECISIONS = [
    ("api.example.com", 443, contract.Rule.ALLOWED, "api.example.com"),
    ("api.example.com", 8443, contract.Rule.ALLOWED, "api.example.com"),
    ("api.example.com", 80, contract.Rule.PORT_NOT_NAMED, "api.example.com"),
    ("x.api.example.com", 443, contract.Rule.HOST_NOT_NAMED, None),
    ("example.com", 443, contract.Rule.HOST_NOT_NAMED, None),
    ("evilapi.example.com", 443, contract.Rule.HOST_NOT_NAMED, None),
    ("a.example.org", 443, contract.Rule.ALLOWED, "*.example.org"),
    ("a.example.org", 444, contract.Rule.PORT_NOT_NAMED, "*.example.org"),
    ("example.org", 443, contract.Rule.HOST_NOT_NAMED, None),
    ("a.b.example.org", 443, contract.Rule.HOST_NOT_NAMED, None),
    ("evilexample.org", 443, contract.Rule.HOST_NOT_NAMED, None),
    ("both.example.org", 22, contract.Rule.ALLOWED, "both.example.org"),
    ("both.example.org", 443, contract.Rule.ALLOWED, "*.example.org"),
    ("both.example.org", 1, contract.Rule.PORT_NOT_NAMED, "both.example.org"),
]


@pytest.mark.parametrize(("name", "port", "rule", "matched"), DECISIONS)
def test_i05_a_policy_names_hosts_exactly(name: str, port: int, rule: contract.Rule, matched: str | None) -> None:
    decision = hosts.decide(RULES, hosts.Host(name), port)
    assert decision == hosts.Decision(rule, name, port, matched)
    assert decision.allowed is (rule is contract.Rule.ALLOWED)
    assert bool(decision.allowed_by) is not decision.allowed
    assert name in decision.message or (decision.matched or "") in decision.message


@given(NAMES, st.integers(1, 65535))
def test_i01_no_rules_mean_no_host(name: str, port: int) -> None:
    assert hosts.decide((), hosts.Host(name), port).rule is contract.Rule.HOST_NOT_NAMED


@given(NAMES, NAMES, st.integers(1, 65535))
def test_a_wildcard_names_exactly_one_label_more(base: str, name: str, port: int) -> None:
    rules = (documents.HostRule(f"*.{base}", (port,)),)
    for asked in (name, base, f"x.{base}", f"x.y.{base}", f"x{base}"):
        host = hosts.parse_host(asked)
        assert isinstance(host, hosts.Host)
        below = asked.partition(".")[2] == base
        assert hosts.decide(rules, host, port).allowed is below


@pytest.mark.parametrize("text", ["API.example.com", "example.com.", "web", "10.0.0.1", "*"])
def test_a_rule_that_is_not_canonical_matches_nothing_and_is_named(text: str) -> None:
    table = hosts.HostTable.of((documents.HostRule("good.example.com"), documents.HostRule(text)))
    assert [index for index, _ in table.refused] == [1]
    assert not table.decide(hosts.Host(text.lower().rstrip(".")), 443).allowed
    assert table.decide(hosts.Host("good.example.com"), 443).allowed
