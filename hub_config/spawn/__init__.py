"""From the spawn page to a running notebook server."""
