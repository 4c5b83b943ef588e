import json
import logging

import pytest

from zaum_operator import log


def test_a_record_is_one_line_of_json_whatever_it_says() -> None:
    record = logging.LogRecord("n", logging.INFO, "f", 1, "a\nb \x1b[31m %s", ("c\r\n",), None)
    line = log.JsonLines().format(record)
    assert "\n" not in line
    assert "\x1b" not in line
    assert json.loads(line)["message"] == "a\nb \x1b[31m c\r\n"


def test_an_error_is_in_its_line() -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        record = logging.LogRecord("n", logging.ERROR, "f", 1, "m", (), (type(error), error, error.__traceback__))
    assert "ValueError: why" in json.loads(log.JsonLines().format(record))["error"]


def test_records_go_to_standard_error_from_their_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    try:
        log.to_standard_error("WARNING")
        logging.getLogger("x").info("quiet")
        logging.getLogger("x").warning("loud")
    finally:
        root.setLevel(before[0])
        root.handlers[:] = before[1]
    captured = capsys.readouterr()
    assert [json.loads(line)["message"] for line in captured.err.splitlines()] == ["loud"]
    assert captured.out == ""
