"""Signing in through the IAM, inside the hub process."""
