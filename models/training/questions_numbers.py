"""Questions for numbers of things, of seconds and of times, over all that was shown."""

from asker import MUCH, Asker
from kinds import COUNTED
from model import COUNTED_BELOW
from spans import WHOLE, Moment, Question, standing

# Share of the questions for how many different things that are kept where one came again, and the frames of a stream up to which they are: what
# began longer ago no key knows, and a tally that is told to leave out what it cannot know counts each thing a little less than once.
SHOWN_AGAIN, AGAIN_KNOWN = 0.25, 60
# Of the questions how often a thing came: share of what never came, how many times a thing came at most, and from how many times on that is asked each time.
NEVER_CAME, MOST_TIMES, OFTEN_CAME = 0.15, 20, 4
FRAMES_A_THING = 15  # of a long stream: how many things there are in it grows with it
CLEARLY = 0.4  # by how much seconds may be more or less than what is said of them: of half a second either number would be right


def different(asker: Asker, task: str, m: Moment) -> Question | None:
    past, names = m.past, {s.identity for s in m.past}
    if None in names or (len(names) < len(past) and asker.rng.random() > (SHOWN_AGAIN if m.frames <= AGAIN_KNOWN else 0)) or asker.too_small(len(names), max(MUCH, m.frames / FRAMES_A_THING)):
        return None
    onsets = [(s.start, s.start + 1) for i, s in enumerate(past) if all(p.identity != s.identity for p in past[:i])]
    return Question(task, asker.phrase(task), str(len(names)), m.frames, onsets, onsets, cells=(WHOLE,))


def duration(asker: Asker, task: str, m: Moment) -> Question | None:
    s = asker.pick(m.past)
    # As it is counted, up to the moment of the question.
    stood = float(standing(m.times[: m.frames])[s.start : min(s.end, m.frames)].sum()) / 1000
    seconds = round(stood)
    if abs(stood - seconds) > CLEARLY:
        return None
    if not m.unique(s) or seconds >= COUNTED_BELOW or asker.too_small(seconds):
        return None
    text = asker.phrase(task, x=asker.thing(s.label, True))
    return Question(task, text, "1 second" if seconds == 1 else f"{seconds} seconds", m.frames, m.of(s), m.of(s), cells=(WHOLE,)) if seconds > 0 else None


def times_shown(asker: Asker, task: str, m: Moment) -> Question | None:
    """How many times a thing came, by its name or by a word for things of many names: where of all others it is known that they are none."""
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
    # Where a pose begins, whichever of the two: a movement is seen where it happens, its number is half as large.
    begins = [(f, f + 1) for f in range(s.start, min(s.end, m.frames), s.period // 2)]
    count = len(begins) // 2
    if len(begins) % 2 or asker.too_small(count):  # half a movement is neither
        return None
    x = asker.thing(asker.called(s.identity, s.sample.set), True) if asker.rng.random() < 0.7 else asker.pick(["the exercise", "the movement", "it"])
    return Question(task, asker.phrase(task, x=x), str(count), m.frames, begins, begins, cells=(WHOLE,))


# What asks each task.
NUMBERS = {"different": different, "duration": duration, "times": times_shown, "repetitions": repetitions}
