"""Questions for numbers: of things, of seconds and of times, over everything that was shown."""

from asker import MUCH, Asker
from copy_paths import COUNTED_BELOW
from kinds import COUNTED
from spans import WHOLE, Moment, Question, standing

# Where a thing came again: share of the questions for the number of different things that are kept, and the largest
# number of frames for which they are. No key knows what began longer ago, and a tally that is taught to leave out what
# it cannot know counts each thing a little less than once.
SHOWN_AGAIN, AGAIN_KNOWN = 0.25, 60
# Questions how often a thing came: the share about one that never came, the largest number, and the number from which
# on all are kept.
NEVER_CAME, MOST_TIMES, OFTEN_CAME = 0.15, 20, 4
FRAMES_A_THING = 15  # frames per thing: a long stream shows more things, so larger numbers are balanced too
# Largest difference between the real seconds and those said: at half a second either number would be right.
CLEARLY = 0.4


def different(asker: Asker, task: str, m: Moment) -> Question | None:
    past, names = m.past, {s.identity for s in m.past}
    if None in names or (len(names) < len(past) and asker.rng.random() > (SHOWN_AGAIN if m.frames <= AGAIN_KNOWN else 0)) or asker.too_small(len(names), max(MUCH, m.frames / FRAMES_A_THING)):
        return None
    onsets = [(s.start, s.start + 1) for i, s in enumerate(past) if all(p.identity != s.identity for p in past[:i])]
    return Question(task, asker.phrase(task), str(len(names)), m.frames, onsets, onsets, cells=(WHOLE,))


def duration(asker: Asker, task: str, m: Moment) -> Question | None:
    s = asker.pick(m.past)
    # NumberCopy as a tally does, up to the moment of the question.
    stood = float(standing(m.times[: m.frames])[s.start : min(s.end, m.frames)].sum()) / 1000
    seconds = round(stood)
    if abs(stood - seconds) > CLEARLY:
        return None
    if not m.unique(s) or seconds >= COUNTED_BELOW or asker.too_small(seconds):
        return None
    text = asker.phrase(task, x=asker.thing(s.label, True))
    return Question(task, text, "1 second" if seconds == 1 else f"{seconds} seconds", m.frames, m.of(s), m.of(s), cells=(WHOLE,)) if seconds > 0 else None


def times_shown(asker: Asker, task: str, m: Moment) -> Question | None:
    """How many times a thing came, by its name or by a word for things of many names; only if it is known that all
    other things are not meant."""
    past, general = m.past, asker.rng.random() < asker.general
    words = sorted({w for s in past for w in asker.shows(s).shown} if general else {s.label for s in past if s.label})
    if not words:
        return None
    name = asker.pick_kind(words) if general else asker.pick(words)
    shown = [s for s in past if (name in asker.shows(s).shown if general else s.label == name)]
    others = [s for s in past if all(s is not one for one in shown)]
    if not all(name in asker.shows(s).absent if general else asker.surely_another(name, s) for s in others):
        return None
    if len(shown) > MOST_TIMES or asker.too_small(len(shown), OFTEN_CAME):
        return None
    if asker.rng.random() < NEVER_CAME:
        none = sorted(frozenset.intersection(*(asker.shows(s).absent for s in past))) if general else []
        name, shown, general = (asker.pick_kind(none), [], True) if none else (asker.absent(m.spans, m.now), [], False)
    plural = name if name.endswith("s") else COUNTED.get(name, name + "s")
    thing = asker.thing_of_kind(name) if general else asker.thing(name)
    onsets = [(s.start, s.start + 1) for s in shown]
    return Question(task, asker.phrase(task, x=thing, xs=plural), str(len(shown)), m.frames, onsets, onsets, cells=(WHOLE,))


def repetitions(asker: Asker, task: str, m: Moment) -> Question | None:
    repeated = [s for s in m.past if s.period > 0 and min(s.end, m.frames) - s.start >= s.period]
    if not repeated or m.times_shown[repeated[-1].identity] > 1:
        return None
    s = repeated[-1]
    # The start of each pose, whichever of the two: a movement is seen where it happens. There are half as many
    # repetitions.
    begins = [(f, f + 1) for f in range(s.start, min(s.end, m.frames), s.period // 2)]
    count = len(begins) // 2
    if len(begins) % 2 or asker.too_small(count):  # half a movement would count as either
        return None
    x = asker.thing(asker.called(s.identity, s.sample.set), True) if asker.rng.random() < 0.7 else asker.pick(["the exercise", "the movement", "it"])
    return Question(task, asker.phrase(task, x=x), str(count), m.frames, begins, begins, cells=(WHOLE,))


# The function that asks each task.
NUMBERS = {"different": different, "duration": duration, "times": times_shown, "repetitions": repetitions}
