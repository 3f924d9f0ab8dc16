"""Asking a model about images, and what to do with the answers."""
