"""Everything that JupyterHub loads, and the platform service beside it."""
