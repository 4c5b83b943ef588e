"""What this pod may use of its policy's limits: its shares of rates, the slices of budgets that it holds.

The ledger decides how a limit is divided; in here is what a pod may do with its part, and what it says of it. No part
grows by a lost message, a late answer, a restart or the ledger's absence.
"""
