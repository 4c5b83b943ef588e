"""Build the product's images on a base that the machine itself makes, and give them to the cluster.

Nothing is pulled: the base is a Debian root by mmdebstrap, the dependencies are wheels by the hash-locked
requirements, the builds run without a network. Everything is kept in the cache and keyed by its inputs.
"""
