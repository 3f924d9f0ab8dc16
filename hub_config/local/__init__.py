"""Laptop mode: the whole workspace on one machine, started, watched and stopped as one."""
