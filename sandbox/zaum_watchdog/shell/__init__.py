"""Sockets, files, /proc and the clock. Every decision is asked of `core`."""
