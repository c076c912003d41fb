"""Questions about what was there before: whether, when, in which order, and what has changed."""

import math

import numpy as np

from asker import GONE_NEGATIVE_SHARE, Asker
from phrasings import NO_CHANGE, NOT_SHOWN, STILL_SHOWN
from spans import Moment, Question, Span, clock_text
from time_code import DAY, LONGEST

BORDER_FRAMES = 3  # frames on each side of a change that know of both things
# Share of "yes" if a thing is called by its own name: names are believed too readily, words for many things are not.
NAMED_YES = 0.4
UNCHANGED_SHARE = 0.2  # share of the questions for what has changed whose moment is before any change
CHANGED_WITHIN = (3, 5, 10, 20, 30, 60)  # s
SEEN_WITHIN = (5, 10, 15, 20, 30, 60, 120, 300, 600, 1800, 3600)  # s
HARDLY_MORE, HARDLY_MORE_MS = 4, 5_000
# Of the things that have not changed within the time, the share that are a stream's first: if most were, the model
# could say "yes" wherever another thing came before.
FIRST_STILL_SHARE = 0.2
# Share of the questions for what was shown at a time, or so long ago, whose time is before the stream or after the
# question.
NO_SUCH_TIME = 0.1
# Margin, as a share of the time back, by which the moment asked about must lie inside the thing's span: nobody means it
# to the second.
ABOUT = 0.05


def seen(asker: Asker, task: str, m: Moment) -> Question | None:
    candidates = [m.now] if task == "seennow" else m.past
    said, of_kind = {}, f"{task}kind"
    if task == "seenwithin":
        # For "the last minute" the service reads that minute alone, so the stream must not be longer.
        covered = [n for n in SEEN_WITHIN if n * 1000 >= m.times[m.frames - 1] - m.times[0]]
        if not covered:
            return None
        said, of_kind = {"d": asker.span_text(asker.pick(covered[:2]))}, task
    general = asker.rng.random() < asker.general
    if asker.rng.random() < (0.5 if general else NAMED_YES):
        # Drawn by name, not by span: what came once is asked about as often as what came often.
        known = sorted({p.label for p in candidates if p.label})
        kind = asker.kind_seen(candidates) if general or not known else None
        if kind:
            return Question(of_kind, asker.phrase(task, x=asker.thing_of_kind(kind[0]), **said), "yes", m.frames, [r for p in kind[1] for r in m.of(p)])
        if not known:
            return None
        name = asker.pick(known)
        spots = [r for p in candidates if p.label == name for r in m.of(p)]
        return Question(task, asker.phrase(task, x=asker.thing(name), **said), "yes", m.frames, spots)
    # For a thing that is not there now, the evidence is what is there, not where the thing was. A thing that was never
    # there has no evidence.
    spots = m.here if task == "seennow" else []
    word = asker.kind_not_seen(candidates) if general else None
    if word:
        return Question(of_kind, asker.phrase(task, x=asker.thing_of_kind(word), **said), "no", m.frames, spots, named=[])
    others = [s for s in m.spans if s not in candidates and s.label and s.label not in {c.identity for c in candidates}]
    near = asker.pick(candidates)
    name = asker.pick(others).label if others and asker.rng.random() < GONE_NEGATIVE_SHARE else asker.absent(m.spans, near)
    return Question(task, asker.phrase(task, x=asker.thing(name), **said), "no", m.frames, spots, named=[])


def which_of_kind(asker: Asker, task: str, m: Moment) -> Question | None:
    """The name of the only thing of a kind that was there; NOT_SHOWN for a kind that was not."""
    s = asker.pick(m.past)
    if s.label is None:
        return None
    kinds = [w for w in asker.kinds_of_it_alone(s, [p for p in m.past if p is not s]) if w not in s.label.split()]
    if not kinds:
        return None
    absent = asker.kind_not_seen(m.past) if asker.rng.random() < asker.absent_share else None
    if absent:
        return Question(task, asker.phrase(task, x=absent), NOT_SHOWN, m.frames)
    kind = asker.pick(kinds)
    asker.said_yes[kind] += 1
    return Question(task, asker.phrase(task, x=kind), s.label, m.frames, m.of(s))


def first(asker: Asker, task: str, m: Moment) -> Question | None:
    first = m.past[0]
    return Question(task, asker.phrase(task), first.label, m.frames, m.of(first)) if first.label else None


def neighbour(asker: Asker, task: str, m: Moment) -> Question | None:
    pairs = list(zip(m.past, m.past[1:]))
    pairs = [(a, b) for a, b in pairs if (a if task == "before" else b).label and m.alone(b if task == "before" else a)]
    if not pairs:
        return None
    a, b = asker.pick(pairs)
    known, wanted = (b, a) if task == "before" else (a, b)
    name = asker.name_among(known, m.past)
    if name is None:
        return None
    # The first frames after a change still have in their window what came before it: two short steps instead of a long
    # one.
    anchor = [(b.start, min(b.start + BORDER_FRAMES, b.end, m.frames))] if task == "before" else m.of(known)
    return Question(task, asker.phrase(task, x=asker.thing(name, True)), wanted.label, m.frames, border(task, wanted, m.frames), anchor, m.of(known))


def border(task: str, wanted: Span, frames: int) -> list[tuple[int, int]]:
    """The frames of `wanted` next to the named thing: the last ones if it came before that thing, else the first
    ones."""
    end = min(wanted.end, frames)
    return [(max(wanted.start, end - BORDER_FRAMES), end)] if task == "before" else [(wanted.start, min(end, wanted.start + BORDER_FRAMES))]


def at(asker: Asker, task: str, m: Moment) -> Question | None:
    s, frames, times = asker.pick(m.past), m.frames, m.times
    inside = [f for f in range(s.start, min(s.end, frames)) if times[f] % 1000 < 500 and (f + 1 < s.end or s.end > frames)]
    if not s.label or not inside:
        return None
    second = int(times[asker.pick(inside)]) // 1000 * 1000
    if s.start > 0 and times[s.start] > second:
        return None
    if asker.rng.random() < NO_SUCH_TIME:
        then = int(times[frames - 1]) + int(math.exp(asker.rng.uniform(math.log(3_000), math.log(3_600_000))))
        return Question(task, asker.phrase(task, t=asker.time_text(then)), NOT_SHOWN, frames) if then < DAY else None
    return Question(task, asker.phrase(task, t=asker.time_text(second)), s.label, frames,
                    [(g, g + 1) for g in inside if second <= times[g] < second + 1000])


def ago(asker: Asker, task: str, m: Moment) -> Question | None:
    """What was shown so long before the question. As the service does, it asks by clock time if the stream had begun by
    then."""
    frames, times = m.frames, m.times
    moment = int(times[frames - 1])
    s = asker.pick(m.past)
    end = min(s.end, frames)
    seconds, _ = asker.time_back((moment - int(times[int(asker.rng.integers(s.start, end))])) / 1000)
    then, about = moment - 1000 * seconds, max(400, ABOUT * 1000 * seconds)
    left = times[s.end] if s.end < frames else moment + about
    # A second means what was shown when it began, as in `at`.
    began = s.start == 0 or times[s.start] <= min(then - about, then // 1000 * 1000)
    if s.label is None or seconds == 0 or not began or times[s.start] > then or left < then + about or left - times[end - 1] > LONGEST:
        return None
    if asker.rng.random() < NO_SUCH_TIME and int(times[0]) == 0:
        _, words = asker.time_back(moment / 1000 * asker.rng.uniform(1.3, 4) + 2)
        return Question(task, asker.phrase(task, a=words), NOT_SHOWN, frames)
    at = max(s.start, int(np.searchsorted(times[:frames], then, "right")) - 1)
    return Question(task, asker.phrase(task, a=f"at {clock_text(then)}"), s.label, frames, [(max(s.start, at - 1), min(end, at + 2))])


def when(asker: Asker, task: str, m: Moment) -> Question | None:
    named = [s for s in m.past if m.alone(s)]
    s = asker.pick(named) if named else None
    name = asker.name_among(s, m.past) if s else None
    if name is None:
        return None
    # The evidence is the thing's first frames: their own time is the answer.
    return Question(task, asker.phrase(task, x=asker.thing(name, True)), clock_text(int(m.times[s.start])), m.frames, m.onset(s), named=m.of(s))


def left(asker: Asker, task: str, m: Moment) -> Question | None:
    past = m.past
    # For things that came again, the last time they left.
    last = [i for i, s in enumerate(past) if s.label is None or all(p.identity != s.label for p in past[i + 1 :])]
    if not last:
        return None
    i = asker.pick(last)
    s = past[i]
    name = asker.name_among(s, past[i:])
    there = [r for p in past if p is s or (s.label is not None and p.identity == s.label) for r in m.of(p)]
    # If nothing was seen for a while, the time at which it left is unknown.
    if name is None or (i < len(past) - 1 and m.times[s.end] - m.times[s.end - 1] > LONGEST):
        return None
    text = asker.phrase(task, x=asker.thing(name, True))
    if i == len(past) - 1:
        return Question(task, text, STILL_SHOWN, m.frames, m.here)
    # The evidence is what follows: its first frame is the first without the thing, and has the thing in its window.
    gone = past[i + 1]
    return Question(task, text, clock_text(int(m.times[gone.start])), m.frames, m.onset(gone), m.of(s), there)


def changed(asker: Asker, task: str, m: Moment) -> Question | None:
    if len(m.past) < 2:
        return None  # nothing has changed, and such questions would be too frequent
    if asker.rng.random() < UNCHANGED_SHARE:
        return Question(task, asker.phrase(task), NO_CHANGE, unchanged(asker, m.past, m.frames))
    changed = m.now.label is not None and m.now.label != m.past[-2].identity
    return Question(task, asker.phrase(task), m.now.label, m.frames, m.here) if changed else None


def has_changed(asker: Asker, task: str, m: Moment) -> Question | None:
    if len(m.past) < 2:
        return None  # as above
    frames, times = m.frames, m.times
    yes, since = asker.rng.random() < 0.5, times[frames - 1] - times[m.now.start]
    # "Yes" is asked over little more time than has passed: over a minute it is nearly always right, and could be said
    # without looking.
    fitting = [n for n in CHANGED_WITHIN if (since < n * 1000 <= max(HARDLY_MORE * since, HARDLY_MORE_MS) if yes else since > n * 1000)]
    if not yes and (not fitting or asker.rng.random() < FIRST_STILL_SHARE):
        frames, fitting = unchanged(asker, m.past, frames), CHANGED_WITHIN
    if not fitting:
        return None
    seconds = asker.pick(fitting)
    text = asker.phrase(task, d=asker.span_text(seconds))
    within = [s for s in m.past[1:] if times[frames - 1] - times[s.start] <= seconds * 1000] if yes else []
    began = [(s.start, s.start + 1) for s in within]  # the first frame of each new thing, which a tally counts
    return Question(task, text, "yes" if yes else "no", frames, [r for s in within for r in m.onset(s)], named=began)


def unchanged(asker: Asker, past: list[Span], frames: int) -> int:
    """A number of frames after which nothing has changed yet since the stream began."""
    return int(asker.rng.integers(1, min(past[0].end, frames), endpoint=True))


# The function that asks each task.
PAST = {
    "seen": seen, "seennow": seen, "seenwithin": seen, "whichof": which_of_kind, "first": first, "before": neighbour, "after": neighbour,
    "at": at, "ago": ago, "when": when, "left": left, "changed": changed, "haschanged": has_changed,
}
