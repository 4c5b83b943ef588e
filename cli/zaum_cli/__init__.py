"""The command line for people: `zaum`, and the same as a plugin of kubectl.

`core` decides what to say and does no I/O; `shell` reads the cluster, with the rights of whoever asks.
"""
