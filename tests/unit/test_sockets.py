"""A server that is killed leaves no socket of ours open, whenever its connection is reset."""

import gc
import socket
import ssl
import warnings

import pytest


def test_a_connection_that_is_reset_before_its_handshake_is_closed() -> None:
    context = ssl.create_default_context()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with socket.create_server(("127.0.0.1", 0)) as server:
            connected = socket.create_connection(server.getsockname())
        # Nobody took it, so that the end of the server resets it.
        with pytest.raises(ConnectionResetError):
            context.wrap_socket(connected, server_hostname="localhost")
        gc.collect()
    assert [str(each.message) for each in told] == []
