"""The service beside the hub: shared models, the catalogue and the state of each service, as a REST API.

Arrows go one way: ``api`` (speaks HTTP) -> ``logic`` (holds the rules) -> ``store`` (database and model store).
The ``controller`` is the one process that acts on its own; the API processes keep no state and may be several.
"""

PREFIX = "/services/imagine"
"""Where the hub's proxy sends requests from; it forwards the whole path."""

SERVICE = "imagine"
"""The service's name at the hub: the scope that lets a token in is ``access:services!service=imagine``."""
