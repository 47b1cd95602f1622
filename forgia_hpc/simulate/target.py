"""What a campaign makes: the meaning of its dataset's numbers, and its card."""

from __future__ import annotations

from dataclasses import replace

import yaml

from forgia_hpc.data.card import Card, card_from
from forgia_hpc.data.fields.admission import problems_of
from forgia_hpc.data.fields.layout import FieldSet, Parameter, Schema
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import RunDir
from forgia_hpc.simulate.members import Members


def sealed_card(run: RunDir) -> Card:
    """Return the card that was sealed with the job."""
    text = (run.inputs / "card.yaml").read_text(encoding="utf-8")
    return card_from(yaml.safe_load(text), where="inputs/card.yaml")


def check_product(run: RunDir, members: Members, schema: Schema) -> None:
    """Find what would hinder sealing before the first member is solved.

    Raises:
        InputError: everything that is wrong with the schema and the card.
    """
    if found := product_problems(sealed_card(run), members, schema):
        raise InputError(found)


def product_problems(card: Card, members: Members, schema: Schema) -> list[Problem]:
    """Return everything that is wrong with schema and card; what only solved members show comes when they are."""
    empty = FieldSet(
        name=members.dataset, contributor=card.contributor, schema=schema, trajectories=()
    )
    return [one for one in problems_of(empty, card) if one.field not in ("trajectories", "shared")]


def schema_of(solver: Schema, members: Members) -> Schema:
    """Return the solver's schema with every input of the members, and how they were drawn."""
    known = {one.name for one in solver.parameters}
    more = tuple(
        Parameter(name=one.name, ucum=one.ucum, quantity=one.quantity)
        for one in members.inputs
        if one.name not in known
    )
    return replace(solver, parameters=(*solver.parameters, *more), design=dict(members.design))
