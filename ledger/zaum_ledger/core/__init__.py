"""Keep accounts. Nothing in here reads a clock, a socket, a file or the environment, draws a random number or logs."""
