"""Storms of faults against the operator on a real API server, and the judge of what they did to the agents' isolation.

`make chaos FAULTS=200 SEED=7`. A storm is drawn from its seed before it begins. Every write that the API server ever
stored is judged, in the order in which it was stored; what the storm leaves is compared with what a calm run leaves.
"""
