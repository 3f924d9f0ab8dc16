"""Widgets that stand in a notebook: anywidget, plain ESM, no build and no network."""
