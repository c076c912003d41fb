"""Descriptions of pictures that have none in the data: the thing by its name, with its colour or place if known.

The data has sentences for scenes only. A model that learns to describe from these alone says of a dog, a shirt or a
sign that a man is climbing a rock.
"""

from labels import SCENES, SPRITES
from signs import NUMBERS
from signs import SET as SIGNS
from signs import ground
from spans import Span
from views import PAINTED
from world import World

AT = ["in the top left", "at the top", "in the top right", "on the left", "in the middle", "on the right", "in the bottom left", "at the bottom", "in the bottom right"]
PLURAL = {"pants", "shorts", "shoes"}
UNCOUNTED = {"outwear"}


def with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def described_by_name(world: World, span: Span, cell: int | None) -> str | None:
    """None if the picture does not tell the name. `cell`: the cell of its only thing on a 3 x 3 grid, if the thing is
    small enough to have a place."""
    sample, row = span.sample, span.rows[0]
    number = world.views[row][1]
    if sample.set == SIGNS:
        says, coloured = sample.extra["says"], with_article(ground(number))
        return f"{coloured} sign with the number {says}" if says in NUMBERS else f"{coloured} {says} sign"
    if span.label is None:
        return None
    if sample.set in SCENES:
        return f"a person doing {span.label}"
    if len(span.things) > 1:  # the data's answers do not hold the words for several things
        return None
    # A cut-out's own colour is part of what it is: nobody calls a frog a green frog.
    colour = world.colour(row) if sample.set not in SPRITES or number >= PAINTED else None
    name = f"{colour} {span.label}" if colour else span.label
    said = name if span.label in PLURAL | UNCOUNTED else with_article(name)
    return f"{said} {AT[cell]}" if cell is not None else said
