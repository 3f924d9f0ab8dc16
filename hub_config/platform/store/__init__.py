"""What the platform keeps: rows in a database and the files of shared models."""
