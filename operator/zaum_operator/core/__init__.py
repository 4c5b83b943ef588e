"""The operator's decisions: pure functions from a frozen snapshot to a plan. No I/O, clock, dice, log or client."""
