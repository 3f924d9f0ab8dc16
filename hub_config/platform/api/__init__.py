"""What speaks HTTP: handlers turn requests into calls of the logic, and what it says into responses."""
