"""The sidecar that meters, limits and cuts one agent: loopback proxy, detectors, probes.

`core` decides (pure: no I/O, clock, randomness, logging, third-party imports), `shell` moves bytes, `supervisor` joins
them. Never imported here: any API client, pydantic, kopf. The process's whole import list is held by a test, because
every module costs memory in each agent pod.
"""
