"""The operator's hands: reading the snapshot and carrying out the plan, through one adapter to the API server."""
