"""What the command line works out. Pure: no I/O, clock, randomness or client; texts in, texts out."""
