"""Bring a stack in line with a template, resource by resource; what fails is taken back.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from moto.cloudformation.exceptions import CloudFormationError

from firebreak.cloud.stacks.errors import ResourceFailed
from firebreak.cloud.stacks.intrinsics import Scope, references
from firebreak.cloud.stacks.kinds import Properties, is_gone
from firebreak.cloud.stacks.permissions import Permits
from firebreak.cloud.stacks.properties import changed, replacing
from firebreak.cloud.stacks.resolving import (
    is_named,
    kind_of,
    look_up,
    outputs_of,
    properties_of,
)
from firebreak.cloud.stacks.stack import Resource, Stack, Wanted
from firebreak.cloud.stacks.templates import depends_on, in_order

Undo = Callable[[], None]


class Run:
    """One creation or update of a stack."""

    def __init__(
        self, stack: Stack, wanted: Wanted, permits: Permits, exports: Mapping[str, str]
    ) -> None:
        self._stack, self._wanted, self._permits = stack, wanted, permits
        self._word = "UPDATE" if stack.made_of is not None else "CREATE"
        self._undo: list[Undo] = []
        self._replaced: list[Resource] = []
        self._now = dict(stack.resources)
        self._scope = Scope(wanted.template, stack.values(wanted), look_up(self._now), exports)

    def apply(self, on_failure: str = "ROLLBACK") -> None:
        """Make and change what is wanted, then delete what is not wanted any more."""
        stack, active = self._stack, self._wanted.active(self._scope)
        stack.become(f"{self._word}_IN_PROGRESS", "User Initiated")
        for name in in_order(self._wanted.template, active):
            try:
                self._bring(name)
            except (ResourceFailed, CloudFormationError) as failure:
                self._fail(name, failure, on_failure)
                return
        try:
            stack.outputs = outputs_of(self._wanted, self._scope)
        except CloudFormationError as failure:
            self._back(failure.message, on_failure)
            return
        self._complete(active)

    def _complete(self, active: list[str]) -> None:
        stack = self._stack
        unwanted = [self._now[name] for name in in_reverse(stack, self._now) if name not in active]
        if self._word == "UPDATE":
            stack.become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        for resource in self._replaced[::-1]:
            self._clean(resource, replaced=True)
        for resource in unwanted:
            self._clean(resource, replaced=False)
            del self._now[resource.name]
        stack.resources, stack.made_of = self._now, self._wanted
        stack.updated = dt.datetime.now(dt.UTC) if self._word == "UPDATE" else None
        stack.become(f"{self._word}_COMPLETE")

    # --- one resource ---

    def _bring(self, name: str) -> None:
        have = self._now.get(name)
        properties = properties_of(self._stack, self._wanted, self._scope, name, have)
        declared = self._wanted.template["Resources"][name]
        if have is None:
            self._create(name, properties)
            return
        names = changed(have.properties, properties)
        if not names:
            self._now[name] = Resource(name, have.kind, have.made, have.properties, declared)
            self._undo.append(lambda: self._now.update({name: have}))
            return
        self._refuse_fixed(have, names)
        if replacing(have.kind, names):
            self._replace(have, properties)
        else:
            self._update(have, properties)

    def _refuse_fixed(self, have: Resource, names: tuple[str, ...]) -> None:
        fixed = sorted(kind_of(have.kind).fixed & set(names))
        if fixed:
            told = f"Properties [{', '.join(fixed)}] of {have.kind} cannot be updated"
            raise ResourceFailed(f'Resource handler returned message: "{told}" (NotUpdatable)')

    def _create(self, name: str, properties: Properties) -> None:
        stack, declared = self._stack, self._wanted.template["Resources"][name]
        type_ = declared["Type"]
        kind = kind_of(type_)
        stack.note(name, type_, "", "CREATE_IN_PROGRESS")
        self._permits.check(type_, "create", properties, {})
        if kind.exists(stack.at, properties):
            identifier = properties[kind.name] if kind.name else name
            raise ResourceFailed(
                f"Resource handler returned message: \"Resource of type '{type_}' with identifier "
                f"'{identifier}' already exists.\" (HandlerErrorCode: AlreadyExists)"
            )
        made = kind.create(stack.at, properties)
        resource = Resource(name, type_, made, properties, declared)
        self._now[name] = resource
        self._undo.append(lambda: self._take_back(resource))
        kind.complete(stack.at, made, properties)
        stack.note(name, type_, made.id, "CREATE_COMPLETE")

    def _take_back(self, resource: Resource) -> None:
        self._now.pop(resource.name)
        if resource.declared.get("DeletionPolicy") == "Retain":
            self._note(resource, "DELETE_SKIPPED")
        else:
            self._permits.check(resource.kind, "delete", {}, resource.properties)
            self._delete(resource)

    def _update(self, have: Resource, properties: Properties) -> None:
        self._note(have, "UPDATE_IN_PROGRESS")
        self._permits.check(have.kind, "update", properties, have.properties)
        self._undo.append(lambda: self._put_back(have, properties))
        made = kind_of(have.kind).update(self._stack.at, have.made, have.properties, properties)
        declared = self._wanted.template["Resources"][have.name]
        self._now[have.name] = Resource(have.name, have.kind, made, properties, declared)
        self._note(self._now[have.name], "UPDATE_COMPLETE")

    def _put_back(self, have: Resource, properties: Properties) -> None:
        self._note(have, "UPDATE_IN_PROGRESS")
        made = kind_of(have.kind).update(self._stack.at, have.made, properties, have.properties)
        self._now[have.name] = Resource(have.name, have.kind, made, have.properties, have.declared)
        self._note(have, "UPDATE_COMPLETE")

    def _replace(self, have: Resource, properties: Properties) -> None:
        naming = kind_of(have.kind).name
        if naming and properties[naming] == have.properties[naming]:
            if is_named(self._wanted, have.name):
                raise ResourceFailed(
                    "CloudFormation cannot update a stack when a custom-named resource requires "
                    f"replacing. Rename {have.made.id} and update the stack again."
                )
            properties = properties_of(self._stack, self._wanted, self._scope, have.name, None)
        told = (
            "Requested update requires the creation of a new physical resource; hence creating one."
        )
        self._note(have, "UPDATE_IN_PROGRESS", told)
        self._undo.append(lambda: self._now.update({have.name: have}))
        self._create(have.name, properties)
        self._replaced.append(have)

    # --- taking away ---

    def _clean(self, resource: Resource, *, replaced: bool) -> None:
        """Delete what is not wanted any more; if it stays, the update is complete all the same."""
        if resource.kept(replaced=replaced):
            self._note(resource, "DELETE_SKIPPED")
            return
        try:
            self._permits.check(resource.kind, "delete", {}, resource.properties)
            self._delete(resource)
        except ResourceFailed as failure:
            self._note(resource, "DELETE_FAILED", str(failure))

    def _delete(self, resource: Resource) -> None:
        delete(self._stack, resource)

    def _note(self, resource: Resource, status: str, reason: str = "") -> None:
        self._stack.note(resource.name, resource.kind, resource.made.id, status, reason)

    # --- failing ---

    def _fail(
        self, name: str, failure: ResourceFailed | CloudFormationError, on_failure: str
    ) -> None:
        have = self._stack.resources.get(name)
        word = "CREATE" if have is None else "UPDATE"
        type_ = self._wanted.template["Resources"][name]["Type"]
        reason = failure.message if isinstance(failure, CloudFormationError) else str(failure)
        self._stack.note(name, type_, have.made.id if have else "", f"{word}_FAILED", reason)
        self._back(f"The following resource(s) failed to {word.lower()}: [{name}]. ", on_failure)

    def _back(self, reason: str, on_failure: str) -> None:
        stack = self._stack
        if self._word == "CREATE" and on_failure == "DO_NOTHING":
            stack.resources, stack.made_of = self._now, self._wanted
            stack.become("CREATE_FAILED", reason)
            return
        prefix = "ROLLBACK" if self._word == "CREATE" else "UPDATE_ROLLBACK"
        reason += "Rollback requested by user." if self._word == "CREATE" else ""
        stack.become(f"{prefix}_IN_PROGRESS", reason)
        undone = [_undone(stack, undo) for undo in self._undo[::-1]]
        stack.resources = self._now
        if self._word == "CREATE":
            stack.made_of = self._wanted
        stack.become(f"{prefix}_{'COMPLETE' if all(undone) else 'FAILED'}")


def _undone(stack: Stack, undo: Undo) -> bool:
    try:
        undo()
    except ResourceFailed as failure:
        stack.events[-1]["ResourceStatusReason"] = str(failure)
        return False
    return True


def delete(stack: Stack, resource: Resource) -> None:
    """Delete a resource; one that is gone already is deleted."""
    told = (resource.name, resource.kind, resource.made.id)
    stack.note(*told, "DELETE_IN_PROGRESS")
    try:
        kind_of(resource.kind).delete(stack.at, resource.made, resource.properties)
    except ResourceFailed as failure:
        if not is_gone(failure):
            stack.note(*told, "DELETE_FAILED", str(failure))
            raise
    stack.note(*told, "DELETE_COMPLETE")


def in_reverse(stack: Stack, resources: Mapping[str, Resource]) -> list[str]:
    """Return resources so that each comes before those it speaks of."""
    declared = {"Resources": {name: each.declared for name, each in resources.items()}}
    return in_order(declared, resources)[::-1]


def delete_all(stack: Stack, permits: Permits, retained: frozenset[str]) -> bool:
    """Delete a stack's resources as far as it goes; say whether all are gone."""
    stack.become("DELETE_IN_PROGRESS", "User Initiated")
    failed: list[str] = []
    for name in in_reverse(stack, stack.resources):
        resource = stack.resources[name]
        if resource.kept() or name in retained:
            told = (name, resource.kind, resource.made.id)
            stack.note(*told, "DELETE_SKIPPED")
        elif _is_needed(stack, name, failed):
            continue
        else:
            try:
                permits.check(resource.kind, "delete", {}, resource.properties)
                delete(stack, resource)
            except ResourceFailed as failure:
                stack.note(name, resource.kind, resource.made.id, "DELETE_FAILED", str(failure))
                failed.append(name)
                continue
        del stack.resources[name]
    if failed:
        stack.become(
            "DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}]. "
        )
    else:
        stack.become("DELETE_COMPLETE")
        stack.deleted = dt.datetime.now(dt.UTC)
    return not failed


def _is_needed(stack: Stack, name: str, failed: list[str]) -> bool:
    """Say whether something speaks of a resource that could not be deleted."""
    return any(
        name in (*references(each.declared), *depends_on(each.declared))
        for each in (stack.resources[other] for other in failed)
    )
