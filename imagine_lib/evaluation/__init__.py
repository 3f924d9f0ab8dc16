"""How good a model is, on images that it has not seen."""
