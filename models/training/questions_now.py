"""Questions about what is there at their moment: its name, what it says, its colour, where it is and how many there
are."""

import re

import numpy as np

from asker import GONE_NEGATIVE_SHARE, Asker
from descriptions import described_by_name, with_article
from kinds import ANIMALS, EATEN, HELD, PEOPLE, TRAFFIC, UNCOUNTED
from labels import SCENES
from phrasings import NO_CHANGE
from signs import SET as SIGNS
from signs import ground as colour_of_ground
from spans import WHOLE, Moment, Question

PLACES = ["top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right"]
# How often both kinds of a choice are of one family: people ask "a dog or a cat" rather than "a dog or a bus".
AKIN, FAMILIES = 0.6, (ANIMALS - {"animal"}, PEOPLE, TRAFFIC - {"street", "vehicle"}, EATEN - {"food"}, HELD - {"musical instrument"})
SAYS_NOTHING = 0.1  # share of the photographs about which a question asks what they say: mostly nothing legible
OF_PEOPLE = re.compile(r"\b(they|person)\b")  # questions that presuppose people
LARGE = 0.5  # of a picture's side: a cut-out larger than this has no place in the picture


def what_is_there(asker: Asker, task: str, m: Moment) -> Question | None:
    name = m.now.label or asker.shows(m.now).main
    return Question(task, asker.phrase(task), name, m.frames, m.here) if name else None


def described(asker: Asker, task: str, m: Moment) -> Question | None:
    now = m.now
    sentences = now.sample.learned or now.sample.captions
    text = asker.phrase(task)
    if sentences:
        said = asker.pick(sentences).lower().rstrip(" .")
    elif OF_PEOPLE.search(text) and now.sample.set not in SCENES:
        return None
    else:
        placed = len(now.things) == 1 and now.things[0][3] <= LARGE
        said = described_by_name(asker.world, now, cell_of(now.things[0]) if placed else None)
    return Question(task, text, said, m.frames, m.here) if said else None


def attribute(asker: Asker, task: str, m: Moment) -> Question | None:
    equipment = m.now.sample.extra.get("equipment")
    if equipment:
        return Question(task, asker.phrase(task), equipment, m.frames, m.here)
    if not m.now.sample.qa:
        return None
    q, a = asker.pick(m.now.sample.qa)
    q = " ".join(w for w in q.replace("?", "").split() if not w.startswith("image"))
    q = q.removesuffix(" in the").removesuffix(" in this").removesuffix(" in")
    return Question(task, q, a.split(",")[0].replace("_", " "), m.frames, m.here)


def reads(asker: Asker, task: str, m: Moment) -> Question | None:
    if m.now.sample.set == SIGNS:
        return Question(task, asker.phrase(task), m.now.sample.extra["says"], m.frames, m.here, cells=(WHOLE,))
    mute = m.now.sample.set in ("grocery", "clothing", "flickr") and asker.rng.random() < SAYS_NOTHING
    return Question(task, asker.phrase(task), NO_CHANGE, m.frames, m.here, cells=(WHOLE,)) if mute else None


def ground(asker: Asker, task: str, m: Moment) -> Question | None:
    if m.now.sample.set != SIGNS:
        return None
    colour = colour_of_ground(asker.world.views[m.now.rows[0]][1])
    return Question(task, asker.phrase(task), colour, m.frames, m.here, cells=(WHOLE,))


def colour(asker: Asker, task: str, m: Moment) -> Question | None:
    s = asker.pick(m.past) if asker.rng.random() < 0.3 else m.now
    colour = asker.world.colour(s.rows[0])
    # A thing that is there now may be meant by a name that its picture does not tell.
    name = s.identity if s is m.now else s.label
    if not colour or name is None or sum(p.sample.label == s.sample.label for p in m.past) > 1 or any(asker.world.colour(row) != colour for row in s.rows):
        return None
    return Question(task, asker.phrase(task, x=asker.thing(name, True)), colour, m.frames, m.of(s), cells=(WHOLE,))


def where(asker: Asker, task: str, m: Moment) -> Question | None:
    if not m.now.things or m.now.things[0][3] > LARGE:
        return None
    names = [asker.world.samples[t[0]].label for t in m.now.things]
    t = asker.pick(m.now.things)
    name = asker.world.samples[t[0]].label
    if names.count(name) > 1:
        return None
    cell = cell_of(t)
    name = asker.called(name, m.now.sample.set) if len(names) == 1 else name
    return Question(task, asker.phrase(task, x=asker.thing(name, True)), PLACES[cell], m.frames, m.here, cells=(cell,))


def how_many(asker: Asker, task: str, m: Moment) -> Question | None:
    now = m.now
    if not now.things or now.identity is None or now.things[0][3] > LARGE or asker.too_small(len(now.things)):
        return None
    name = asker.called(now.identity, now.sample.set)
    plural = name if name.endswith("s") else name + "s"
    # The newest frame alone: over several frames the things would be counted again.
    newest = [(m.frames - 1, m.frames)]
    return Question(task, asker.phrase(task, xs=plural if asker.rng.random() < 0.8 else name), str(len(now.things)), m.frames,
                    newest, newest, cells=tuple(cell_of(t) for t in now.things))


def how_many_of_a_kind(asker: Asker, task: str, m: Moment) -> Question | None:
    numbers = asker.world.numbers(m.now.rows[0])
    if not numbers:
        return None
    # Captions mostly count one, so larger numbers are asked more often.
    words = list(numbers)
    word = words[asker.rng.choice(len(words), p=np.array(list(numbers.values())) / sum(numbers.values()))]
    if numbers[word] == 1 and asker.rng.random() < 0.5:
        return None
    return Question(task, asker.phrase("howmany", xs=word), str(numbers[word]), m.frames, m.here, cells=(WHOLE,))


def choice(asker: Asker, task: str, m: Moment) -> Question | None:
    """Which of two things or kinds is there now; the other may have been there before."""
    shows = asker.shows(m.now)
    if asker.rng.random() < asker.general and shows.shown and shows.absent:
        right = asker.pick_kind(sorted(shows.shown))
        akin = sorted(shows.absent & next((family for family in FAMILIES if right in family), frozenset()))
        wrong = asker.pick(akin) if akin and asker.rng.random() < AKIN else asker.pick_kind(sorted(shows.absent))
    elif m.now.label:
        others = [s.label for s in m.past if s.label and asker.surely_another(s.label, m.now)]
        right, wrong = m.now.label, asker.pick(others) if others and asker.rng.random() < GONE_NEGATIVE_SHARE else asker.absent([m.now], m.now)
    else:
        return None
    named = [word if word in UNCOUNTED else with_article(word) for word in (right, wrong)]
    if asker.rng.random() < 0.15:
        named = [right, wrong]
    x, y = named if asker.rng.random() < 0.5 else named[::-1]
    return Question(task, asker.phrase(task, x=x, y=y), right, m.frames, m.here)


def cell_of(thing) -> int:
    """The cell on a 3 x 3 grid, row by row."""
    return min(2, int(thing[2] * 3)) * 3 + min(2, int(thing[1] * 3))


# The function that asks each task.
NOW = {
    "now": what_is_there, "last": what_is_there, "describe": described, "attribute": attribute, "reads": reads, "ground": ground, "colour": colour,
    "where": where, "howmany": how_many, "howmanyseen": how_many_of_a_kind, "choice": choice,
}
