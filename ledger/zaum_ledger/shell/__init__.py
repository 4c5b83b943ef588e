"""What touches the world: sockets, files, databases, the API server, clocks, dice and the log."""
