"""The ledger: keeps the books of what policies may spend and have spent, and lends it to their watchdogs."""
