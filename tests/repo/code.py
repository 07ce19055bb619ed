"""What the code names, read from its source: keys of texts, steps of flows, components that are imported."""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from homeassistant.const import Platform

PACKAGE = Path(__file__).parents[2] / "custom_components/plex_watchsync"
ENGLISH: dict[str, Any] = json.loads((PACKAGE / "translations/en.json").read_text())
ICONS: dict[str, Any] = json.loads((PACKAGE / "icons.json").read_text())
MANIFEST: dict[str, Any] = json.loads((PACKAGE / "manifest.json").read_text())


@cache
def sources() -> dict[str, ast.Module]:
    """Parse every file of the package."""
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def shell() -> dict[str, ast.Module]:
    """Return the files that know Home Assistant."""
    return {name: tree for name, tree in sources().items() if "/" not in name}


@dataclass(frozen=True, slots=True)
class Call:
    """A call with its arguments."""

    file: str
    name: str
    given: list[ast.expr]
    named: dict[str, ast.expr]

    def text(self, argument: str) -> str | None:
        """Return an argument that is a plain text."""
        return _text(self.named.get(argument))


def _texts(node: ast.expr | None) -> set[str]:
    """Return the plain texts that an argument may be."""
    if isinstance(node, ast.IfExp):
        return _texts(node.body) | _texts(node.orelse)
    return {text} if (text := _text(node)) else set()


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def calls() -> Iterator[Call]:
    """Find every call."""
    for file, tree in shell().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
                yield Call(file, name, node.args, {one.arg: one.value for one in node.keywords if one.arg})


def texts() -> set[str]:
    """Return every plain text in the code of the shell."""
    return {text for tree in shell().values() for node in ast.walk(tree) if isinstance(node, ast.Constant) and (text := _text(node)) is not None}


def raised() -> dict[str, set[str]]:
    """Return the keys of exceptions, with the placeholders that are given wherever these can be read off."""
    found: dict[str, set[str]] = {}
    for call in calls():
        if "translation_domain" in call.named and call.name not in {"async_create_issue", "_set_issue"}:
            given = call.named.get("translation_placeholders")
            names = {text for one in given.keys if (text := _text(one))} if isinstance(given, ast.Dict) else set()
            for text in _texts(call.named.get("translation_key")):
                found.setdefault(text, set()).update(names)
        elif call.name == "refused" and call.given and (key := _text(call.given[0])):
            found.setdefault(key, set()).update(call.named)
    return found


def issues() -> set[str]:
    """Return the keys of repair issues."""
    keys = [call.named["translation_key"] for call in calls() if call.name in {"async_create_issue", "_set_issue"}]
    return {text for key in keys for text in _texts(key)}


def described() -> set[tuple[str, str]]:
    """Return platform and key of the entities that have a text."""
    platforms = {platform.value for platform in Platform}
    found = {
        (call.file.removesuffix(".py"), key)
        for call in calls()
        if "EntityDescription" in call.name or "Description" in call.name
        if (key := call.text("translation_key"))
    }
    for file, tree in shell().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "_attr_translation_key" for target in node.targets):
                found |= {(file.removesuffix(".py"), key)} if (key := _text(node.value)) else set()
    return {(platform, key) for platform, key in found if platform in platforms}


def with_device_class() -> set[tuple[str, str]]:
    """Return the entities whose device class gives them an icon."""
    return {(call.file.removesuffix(".py"), key) for call in calls() if "device_class" in call.named and (key := call.text("translation_key"))}


def steps() -> set[str]:
    """Return the steps of flows."""
    return {
        node.name.removeprefix("async_step_")
        for tree in shell().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("async_step_")
    }


def reasons() -> set[str]:
    """Return why flows are aborted, as far as it is said in so many words."""
    return {reason for call in calls() if call.name in {"async_abort", "aborted", "_abort_if_unique_id_mismatch"} and (reason := call.text("reason"))}


def imported_components() -> set[str]:
    """Return the components of Home Assistant that the package imports."""
    found: set[str] = set()
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("homeassistant.components"):
                _, _, *rest = node.module.split(".")
                found |= {rest[0]} if rest else {name.name for name in node.names}
    return found


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Walk through nested objects."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    else:
        yield path, tree
