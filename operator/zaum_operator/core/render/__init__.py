"""The objects of one policy, one kind per module; every call gives a fresh dict with exactly the fields that we own."""
