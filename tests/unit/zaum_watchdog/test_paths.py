"""Paths: one form, or none."""

import pytest
from hypothesis import given, strategies

from zaum_watchdog.core import paths


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/a/b", "/a/b", ""),
        ("/a/", "/a/", ""),
        ("/a?b=/../c&d=%2f[]|", "/a", "?b=/../c&d=%2f[]|"),
        ("/a?", "/a", "?"),
        ("/%61%2D%7e/%e2%82%ac%20", "/a-~/%E2%82%AC%20", ""),
        ("/a;v=1/b:c@d", "/a;v=1/b:c@d", ""),
        ("/.hidden/...", "/.hidden/...", ""),
        ("/100%25", "/100%25", ""),
    ],
)
def test_what_is_one_path_has_one_form(target: str, path: str, query: str) -> None:
    assert paths.read(target) == paths.Target(path, query)


@pytest.mark.parametrize(
    "target",
    [
        "", "a", "*", "http://a/b", "//a", "/a//b", "/a/../b", "/a/..", "/.", "/a/./b", "/a/%2e%2e/b", "/a/.%2E",
        "/..;/a",
        "/a/..;x=y/b", "/.;", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00", "/a%0d%0ab", "/a%7f", "/%252e%252e/a",
        "/a%252Fb", "/a%255c", "/a%2500", "/%c0%af", "/%ff", "/%e2%82", "/a%", "/a%2", "/a%zz", "/%u002e", "/a b",
        "/\xe4",
        "/a#b", "/a?b#c", "/a?\x7f", "/a?b%00", "/a?\xe4", "/a\x00", "/{a}", "/a|b", '/a"', "/a<", "/a^`",
    ],
)  # fmt: skip
def test_what_servers_read_in_several_ways_is_refused_and_not_repeated(target: str) -> None:
    found = paths.read(target)
    assert isinstance(found, paths.Malformed)
    assert len(target) < 4 or target not in found.problem


@given(strategies.text(alphabet="/.%25eEfFcC0;a?", max_size=30))
def test_the_normal_form_is_its_own_normal_form(text: str) -> None:
    once = paths.read("/" + text)
    if isinstance(once, paths.Target):
        assert paths.read(once.path + once.query) == once
        assert not {"", ".", ".."} & {*once.path.split("/")[1:-1]}
