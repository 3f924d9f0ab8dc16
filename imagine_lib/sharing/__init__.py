"""Sharing models through the platform: publishing, and loading what others published."""
