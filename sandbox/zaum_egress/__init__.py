"""Which names, ClientHellos and addresses an agent may reach: one implementation for every part that decides.

Pure and standard library only: no I/O, clock, randomness, logging. May import `zaum_api.contract` and
`zaum_api.documents` (both standard library only), nothing else of ours.
"""
