"""The containment loop under kill -9: its parts as processes of this machine, on a control plane of its own.

`make chaos-contain FAULTS=200 SEED=7`. What is done to the agents and which part dies when are drawn from the seed
before they begin. Every write that the API server stored is judged in its order: is anything claimed that is not so,
is anything less contained than before. What each Incident comes to is compared with the same Incident in calm.
"""
