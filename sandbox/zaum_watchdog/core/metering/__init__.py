"""What calls of model APIs use: read from requests before they leave, and from answers as they pass.

Nothing in here stores a body twice, serialises one anew, or works longer than about a millisecond at a time: what is
fed comes back as the place up to which it was looked at, and the rest is fed again after others had their turn.
"""
