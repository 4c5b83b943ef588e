"""Races for a limit: many calls at once from several pods, while what counts them is killed, and the books afterwards.

`agent` is the program that calls, `judge` holds against each other what it saw, what the provider did, what the
watchdogs charged and what the ledger's books say.
"""
