"""Which certificate comes next: decided from what is there, without making, reading or sending anything."""
