import json
import logging

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
