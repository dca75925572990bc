"""A playbook's mode changed in its file, and nothing else: comments and layout stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from chalicelib.actions import actions
from chalicelib.errors import Failed, InvalidPlaybook
from chalicelib.playbook import Playbook, from_document, reading


def set_mode(path: Path, before: Playbook, mode: str) -> None:
    """Write a playbook's mode into its file, whole or not at all.

    Raise Failed, and write nothing, where the file would then say anything else than before.
    """
    text = path.read_bytes().decode("utf-8")
    beside = path.with_name(f".{path.name}.promoting.yaml")
    try:
        beside.write_bytes(spliced(text, mode).encode("utf-8"))
        passed_over = [each.name for each in actions().values() if not each.contains]
        wanted = replace(before, guardrails=replace(before.guardrails, mode=mode))
        if _read(beside, passed_over) != wanted:
            raise Failed(f"{path}: its mode could not be changed alone: change it by hand")
        beside.chmod(path.stat().st_mode)
        beside.replace(path.resolve())
    finally:
        beside.unlink(missing_ok=True)


def _read(path: Path, passed_over: list[str]) -> Playbook | None:
    """Return the playbook of a file; None where it is not one any more."""
    try:
        return from_document(reading.read(path), passed_over)
    except InvalidPlaybook:
        return None


def spliced(text: str, mode: str) -> str:
    """Return a playbook's text with its mode set, in the place where it is or would be."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    guardrails = _member(root, "guardrails")
    if guardrails is None:
        return _inserted(text, root, f"guardrails: {{mode: {mode}}}")
    found = _member(guardrails, "mode")
    if found is not None:
        return text[: found.start_mark.index] + mode + text[found.end_mark.index :]
    return _inserted(text, guardrails, f"mode: {mode}")


def _member(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _inserted(text: str, node: yaml.Node | None, line: str) -> str:
    """Return the text with a member put in front of a mapping's first."""
    if not isinstance(node, yaml.MappingNode):
        raise Failed("the file's guardrails are no object: write them first")
    start = node.start_mark.index
    if node.flow_style:
        comma = ", " if node.value else ""
        return f"{text[: start + 1]}{line}{comma}{text[start + 1 :]}"
    first = node.value[0][0].start_mark
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"{text[: first.index]}{line}{newline}{' ' * first.column}{text[first.index :]}"
