"""The world: everything an agent could want to reach, played on addresses that exist in one network namespace only.

A website, an LLM, an outlaw, the internet's DNS and a cloud's metadata service. Each connection, request and datagram
that arrives is written down by `witness` before it is answered, so that a test can say "nothing arrived" and mean it.
"""
