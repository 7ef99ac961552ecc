"""Recipes: read whole, refused by name where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import ROOT

from unmask.errors import DataError
from unmask.training.recipe import read_recipe


def test_every_recipe_in_the_repository_can_be_read() -> None:
    for path in (ROOT / "recipes").rglob("*.yaml"):
        recipe = read_recipe(path)
        assert recipe.name == path.stem
        assert recipe.limits


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("schedule: {stepps: 5}", "stepps"),
        ("schedule: {steps: 0}", "steps"),
        ("networks: x", "networks"),
        ("seed: many", "seed"),
        ("]", "wrong.yaml"),
    ],
)
def test_wrong_recipe_is_refused_by_name_before_anything_runs(
    tmp_path: Path, change: str, named: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(f"name: wrong\nnetwork: mobilenetv2\ndescription: d\nlicence: l\nlimits: [x]\n{change}\n")
    with pytest.raises(DataError, match=named):
        read_recipe(path)
