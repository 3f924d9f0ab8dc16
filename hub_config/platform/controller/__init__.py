"""The one process that acts on its own: it looks at services, refreshes the catalogue and tidies up."""
