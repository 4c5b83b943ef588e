"""The story that `make demo` tells: install, an agent at work, its attempts to get out, a breach, the kill."""
