"""Directives that read the reference from the code, so that it cannot go stale.

``fields`` lists the fields of a Pydantic model with those of the models in it, ``command-line`` prints the help of
every verb, ``routes`` lists what the platform's API answers.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import types
import typing
from typing import TYPE_CHECKING, Any, NamedTuple

from docutils import nodes
from docutils.statemachine import StringList
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx


class Row(NamedTuple):
    """One key of a model."""

    key: str
    kind: str
    default: str
    text: str


class Table(SphinxDirective):
    """A directive that makes one table."""

    heads: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()

    def table(self, rows: list[tuple[list[nodes.Node], ...]]) -> list[nodes.Node]:
        """Build it."""
        self.env.note_reread()  # the code may have changed where the page has not
        table = nodes.table(classes=["from-code", "colwidths-given"])
        group = nodes.tgroup(cols=len(self.heads))
        group += [nodes.colspec(colwidth=width) for width in self.widths]
        group += nodes.thead("", self._row([[nodes.paragraph(text=head)] for head in self.heads]))
        group += nodes.tbody("", *(self._row(row) for row in rows))
        table += group
        return [nodes.container("", table, classes=["table-wrapper"])]

    def prose(self, text: str) -> list[nodes.Node]:
        """Parse a docstring."""
        if not text:
            return []
        holder = nodes.container()
        # A docstring is reStructuredText, the page is MyST: two backticks mean code in both.
        self.state.nested_parse(StringList(text.splitlines(), "docstring"), 0, holder)
        return holder.children

    @staticmethod
    def _row(cells: Any) -> nodes.row:
        return nodes.row("", *(nodes.entry("", *cell) for cell in cells))


class Fields(Table):
    """``{fields} module.Model``: every key of a model, also of the models inside it."""

    required_arguments = 1
    heads = ("key", "type and default", "meaning")
    widths = (30, 28, 42)

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        module, _, name = self.arguments[0].rpartition(".")
        model = getattr(importlib.import_module(module), name)
        return self.table(
            [(code(row.key), code(row.kind) + code(row.default), self.prose(row.text)) for row in _fields(model, "")]
        )


class CommandLine(SphinxDirective):
    """``{command-line}``: the help of every verb."""

    def run(self) -> list[nodes.Node]:
        """Make one block a verb."""
        self.env.note_reread()
        os.environ |= {"COLUMNS": "90", "NO_COLOR": "1"}
        from imagine_lib.cli import make_parser

        return [self._section(parser) for parser in _verbs(make_parser())]

    def _section(self, parser: argparse.ArgumentParser) -> nodes.Node:
        section = nodes.section(ids=[nodes.make_id(parser.prog)], names=[parser.prog])
        section += nodes.title(text=parser.prog)
        section += nodes.literal_block(text=parser.format_help(), language="text")
        return section


class Routes(Table):
    """``{routes}``: what the platform answers, from its own OpenAPI document."""

    heads = ("method", "path", "what it does")
    widths = (12, 44, 44)

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from hub_config.platform import PREFIX
        from hub_config.platform.api.app import create_app

        services: Any = None  # only a running app needs them
        paths = create_app(services).openapi()["paths"]
        rows = [
            (code(method.upper()), code(path.removeprefix(PREFIX)), self.prose(answer["description"]))
            for path, methods in sorted(paths.items())
            for method, answer in methods.items()
        ]
        return self.table(rows)


def code(text: str) -> list[nodes.Node]:
    """Return a paragraph of code, or nothing."""
    return [nodes.paragraph("", "", nodes.literal(text=text))] if text else []


def _verbs(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield parser
    for group in groups:
        for verb in group.choices.values():
            yield from _verbs(verb)


def _fields(model: type[BaseModel], prefix: str) -> Iterator[Row]:
    comments = _comments(model)
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        inner, ending = _inner(field.annotation)
        if inner is None:
            default = _default(field.get_default(call_default_factory=True))
            yield Row(key, _kind(field.annotation), default, comments.get(name, ""))
        else:
            if comments.get(name):
                yield Row(key + ending, "", "", comments[name])
            yield from _fields(inner, f"{key}{ending}.")


def _comments(model: type[BaseModel]) -> dict[str, str]:
    """Return the text below each field, also of the classes that a model inherits from."""
    found = {}
    for parent in reversed(model.__mro__):
        if issubclass(parent, BaseModel) and not parent.__module__.startswith("pydantic"):
            texts = ModuleAnalyzer.for_module(parent.__module__).find_attr_docs()
            found |= {name: "\n".join(lines) for (owner, name), lines in texts.items() if owner == parent.__name__}
    return found


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """Return the model that a field holds, and what stands after its key for a list or a mapping of them."""
    for part in (annotation, *typing.get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part, {list: "[]", dict: ".NAME"}.get(typing.get_origin(annotation), "")
    return None, ""


def _kind(annotation: Any) -> str:
    """Write a type as a person would: without modules, and without the rules that a text has to follow."""
    inner, origin = typing.get_args(annotation), typing.get_origin(annotation)
    if origin is typing.Literal:
        return " | ".join(repr(value) for value in inner)
    if origin is typing.Annotated:
        return _kind(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join("None" if part is types.NoneType else _kind(part) for part in inner)
    name = getattr(origin or annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(map(_kind, inner))}]" if inner else name


def _default(value: Any) -> str:
    from hub_config.settings import PROJECT

    if value is PydanticUndefined:
        return "(required)"
    return "none" if value is None else str(value).replace(str(PROJECT), "PROJECT")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("fields", Fields)
    app.add_directive("command-line", CommandLine)
    app.add_directive("routes", Routes)
    return {"parallel_read_safe": True}
