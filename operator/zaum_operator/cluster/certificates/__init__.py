"""Certificates on the cluster: read from the operator's own volume, made here, written by patches that name Secrets."""
