"""Personal data and secrets in bodies: found as they pass, and masked, named or kept from passing.

What is found is detected: no pattern finds everything, and nobody who wants to get a value past it is held up for long.
"""
