"""Retraining: the recipe, the loop, and the run that it makes."""

from imagine_lib.training.recipe import Recipe

__all__ = ["Recipe"]
