"""Notice a runaway agent. One small file per detector: a threshold, and how long it must be exceeded.

`engine` feeds every detector on every tick, so that no detector's state depends on another's verdict.
"""
