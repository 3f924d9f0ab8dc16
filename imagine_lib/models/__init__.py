"""Model packages: reading, checking and writing them, and the networks inside."""
