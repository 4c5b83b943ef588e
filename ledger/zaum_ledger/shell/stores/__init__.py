"""Keep the books: one port, SQLite on a volume or PostgreSQL behind it."""
