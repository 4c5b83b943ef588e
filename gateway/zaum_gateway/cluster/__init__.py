"""Read the cluster: pods, policies, signing keys. Nothing in here writes to it or decides."""
