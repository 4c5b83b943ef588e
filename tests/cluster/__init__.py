"""Run a real one-node Kubernetes whose network has no way out, for the demo and the tests.

Run as `python -m tests.cluster VERB` from the repository root; import `tests.cluster.cluster` from tests.
The product never imports this package.
"""
