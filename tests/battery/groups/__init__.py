"""The lines, one module for each group of `Reach`."""
