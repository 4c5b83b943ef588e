"""What the command line does: read its arguments and the cluster, and print."""
