"""Recipes and hyperparameters as pydantic models: checks, and the JSON Schema for editors."""

import functools
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pgolf_compose.technique import Declared, Hyperparameter

__all__ = ["RecipeFile", "problems", "recipe_schema", "settings_model"]

Scalar = bool | int | float | str | list[int]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Submission(Strict):
    """What a submission says about itself."""

    name: str = ""
    pr: int | None = Field(None, description="number of the pull request")
    val_bpb: float | None = Field(None, description="the score that was published for it")
    author: str = ""
    github_id: str = ""
    blurb: str = ""
    date: str = ""
    seeds: list[int] = Field([], description="seeds that are run for it")


class RecipeFile(Strict):
    """The keys of a recipe file."""

    name: str | None = Field(None, description="names the output; the file's name if left out")
    extends: str = Field("", description="a recipe to start from: a path, a name, or pr1493")
    track: str = Field("10min_16mb", description="the competition whose limits apply")
    data: str = Field("", description="a dataset variant, such as sp1024")
    plugins: list[str] = Field([], description="folders of techniques, relative to this file")
    techniques: dict[str, dict[str, Any] | None] = Field(
        {}, description="technique: its settings; nothing after the colon means the defaults"
    )
    settings: dict[str, Any] = Field({}, description="the host script's own hyperparameters")
    without: list[str] = Field([], description="techniques to leave out of what is extended")
    submission: Submission | None = None


WANTED = {
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
    "int_type": "a whole number",
    "float_type": "a number",
}


def problems(model: type[BaseModel], data: dict) -> Iterator[tuple[tuple, str, str]]:
    """(keys, "unknown" or "value", what is wanted) for each thing the model refuses.

    An empty value counts as left out.
    """
    data = {key: value for key, value in data.items() if value is not None}
    try:
        model.model_validate(data)
    except pydantic.ValidationError as error:
        for problem in error.errors(include_url=False):
            keys = tuple(key for key in problem["loc"] if key not in ("dict[str,any]",))
            if problem["type"] == "extra_forbidden":
                yield keys, "unknown", ""
            else:
                wanted = WANTED.get(problem["type"], problem["msg"].lower())
                yield keys, "value", wanted


def field_of(hyperparameter: Hyperparameter) -> tuple[Any, Any]:
    """Its pydantic type and field."""
    default = list(hyperparameter.default) if isinstance(hyperparameter.default, tuple) else None
    kind: Any = list[int] if default is not None else type(hyperparameter.default)
    if hyperparameter.choices:
        kind = Literal[hyperparameter.choices]
    unit = f" ({hyperparameter.unit})" if hyperparameter.unit else ""
    limits = {"ge": hyperparameter.minimum, "le": hyperparameter.maximum}
    limits = {key: value for key, value in limits.items() if value is not None}
    if default is not None:
        kind, limits = list[Annotated[int, Field(**limits)]], {}
    about = Field(alias=hyperparameter.name, description=hyperparameter.help + unit, **limits)
    return Annotated[kind, about], default if default is not None else hyperparameter.default


@functools.cache
def settings_model(declared: Declared) -> type[BaseModel]:
    """The settings of one technique or host as a model."""
    # the author's name is the alias: as a field's own it could hide something of pydantic's
    fields = {f"setting_{one.name}": field_of(one) for one in declared.hyperparameters}
    return pydantic.create_model(declared.name, __base__=Strict, __doc__=declared.summary, **fields)


def recipe_schema(techniques: list[Declared], host: Declared) -> dict:
    """JSON Schema of a recipe, with every technique's and the host's settings."""
    chosen = {
        one.name: (settings_model(one) | None, Field(None, description=one.summary))
        for one in techniques
    }
    model = pydantic.create_model(
        "Recipe",
        __base__=RecipeFile,
        techniques=(pydantic.create_model("Techniques", __base__=Strict, **chosen) | None, None),
        settings=(settings_model(host) | None, None),
    )
    schema = model.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
