"""Zaum's API: the wire contract, the documents that parts hand each other, and the custom resources.

This module imports nothing, so that the watchdog, which needs only `contract` and `documents` (standard library),
does not carry the weight of the models beside them. No module of this package does I/O.
"""
