"""A recipe that cannot be says why."""

from __future__ import annotations

from dataclasses import fields

import pytest

import imagine_lib as im
from imagine_lib.errors import UsageError


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"epochs": 0}, "Recipe: epochs must be a whole number between 1 and 10000, and is 0."),
        ({"epochs": "ten"}, "Recipe: epochs must be a whole number between 1 and 10000, and is 'ten'."),
        ({"learning_rate": -1.0}, "Recipe: learning_rate must be between 1e-07 and 10, and is -1.0."),
        ({"learning_rate": float("nan")}, "Recipe: learning_rate must be between 1e-07 and 10, and is nan."),
        ({"batch_size": 1}, "Recipe: batch_size must be a whole number between 2 and 65536, and is 1."),
        ({"image_size": 5000}, "Recipe: image_size must be a whole number between 16 and 1024, and is 5000."),
        ({"epochs": 2.5}, "Recipe: epochs must be a whole number between 1 and 10000, and is 2.5."),
        ({"epochs": None}, "Recipe: epochs must be a whole number between 1 and 10000, and is None."),
        ({"augment": "no"}, "Recipe: augment is True or False, not 'no'."),
        ({"resize": "crop"}, "Recipe: resize is one of 'scale', 'pad', 'stretch', not 'crop'."),
        ({"balance": None}, "Recipe: balance is one of 'auto', 'none', 'sampling', 'logits', not None."),
    ],
)
def test_a_recipe_that_cannot_be_says_why(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        im.Recipe(**change)  # type: ignore[arg-type]
    assert str(error.value) == sentence


def test_quick_is_shorter_and_best_longer_and_both_take_changes() -> None:
    assert im.Recipe.quick().epochs < im.Recipe().epochs < im.Recipe.best().epochs
    assert im.Recipe.quick(seed=3).seed == 3


def test_a_recipe_stays_small() -> None:
    assert len(fields(im.Recipe)) < 20
