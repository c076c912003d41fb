"""All questions: about one stream (the functions of ASKS), about several, and after other questions."""

from dataclasses import replace

import numpy as np

from asker import Asker
from phrasings import CHAT, FOLLOW_UPS, NOT_SHOWN
from questions_now import NOW
from questions_numbers import NUMBERS
from questions_past import PAST, border
from spans import ONSET_FRAMES, Moment, Question, Span, clock_text

OF_A_THING = ("before", "after", "when", "left")
# Share of the questions that follow unrelated ones, and share of those earlier ones that have a wrong answer.
AFTER_OTHERS, WRONG_BEFORE = 0.35, 0.2


def question(asker: Asker, task: str, spans: list[Span], frames: int, times: np.ndarray) -> Question | None:
    """One question of this task about what the first `frames` frames show, or None if there is nothing to ask."""
    asked = ASKS.get(task, chat)(asker, task, Moment(spans, frames, times))
    # This only replaces questions that could be asked: otherwise, where little can be named, most answers would be
    # NOT_SHOWN.
    if asked and task in OF_A_THING and asker.rng.random() < asker.absent_share:
        past = [s for s in spans if s.start < frames]
        name = (asker.kind_not_seen(spans) if asker.rng.random() < asker.general else None) or asker.absent(spans, asker.pick(past))
        return Question(task, asker.phrase(task, x=asker.thing(name, True)), NOT_SHOWN, frames)
    return asked


def several(asker: Asker, task: str, group: list[list[Span]], frames: int, times: np.ndarray) -> Question | None:
    """A question about streams that share one clock; the frames of its evidence are numbered stream after stream."""
    length = len(times)
    past = [[s for s in spans if s.start < frames] for spans in group]
    now = [spans[-1] for spans in past]
    i = int(asker.rng.integers(len(group)))
    moved = lambda ranges, at: [(a + at * length, z + at * length) for a, z in ranges]
    if task == "oncamera":
        here = moved([(now[i].start, frames)], i)
        return Question(task, asker.phrase(task, n=str(i + 1)), now[i].label, frames, here) if now[i].label else None
    if task == "which":
        if now[i].label is None or sum(s.identity == now[i].label for s in now) > 1:
            return None
        return Question(task, asker.phrase(task, x=asker.thing(now[i].label, True)), f"camera {i + 1}", frames, moved([(now[i].start, frames)], i))
    s = asker.pick(past[i])
    owners = [j for j, spans in enumerate(past) if any(p.identity == s.identity for p in spans)]
    if task == "whichever":
        if s.label is None or len(owners) > 1:
            return None
        return Question(task, asker.phrase(task, x=asker.thing(s.label, True)), f"camera {i + 1}", frames, moved([(s.start, min(s.end, frames))], i))
    if task == "when":
        if s.label is None or len(owners) > 1 or sum(p.identity == s.label for p in past[i]) > 1:
            return None
        onset = moved([(s.start, min(s.start + ONSET_FRAMES, s.end, frames))], i)
        shown = moved([(s.start, min(s.end, frames))], i)
        return Question(task, asker.phrase(task, x=asker.thing(s.label, True)), clock_text(int(times[s.start])), frames, onset, named=shown)
    everything = [s for spans in group for s in spans]
    if asker.rng.random() < 0.5:
        name = asker.absent(everything, now[i])
        return Question(task, asker.phrase(task, x=asker.thing(name)), "no", frames)
    if s.label is None:
        return None
    spots = [r for j in owners for p in past[j] if p.label == s.label for r in moved([(p.start, min(p.end, frames))], j)]
    return Question(task, asker.phrase(task, x=asker.thing(s.label)), "yes", frames, spots)


def follow_up(asker: Asker, q: Question, spans: list[Span], times: np.ndarray) -> Question | None:
    """A second turn whose "it" is the answer of the first."""
    past = [s for s in spans if s.start < q.frames]
    match = [i for i, s in enumerate(past) if s.label == q.answer]
    if q.task not in ("now", "first", "last", "at", "before", "after") or len(match) != 1:
        return None
    i = match[0]
    task = asker.pick(list(FOLLOW_UPS))
    text = asker.pick(FOLLOW_UPS[task])
    if task == "when":
        answer, wanted = clock_text(int(times[past[i].start])), past[i]
        evidence = [(wanted.start, min(wanted.start + ONSET_FRAMES, wanted.end, q.frames))]
    else:
        j = i - 1 if task == "before" else i + 1
        if not 0 <= j < len(past) or past[j].label is None:
            return None
        answer, wanted = past[j].label, past[j]
        evidence = border(task, wanted, q.frames)
    named = [(past[i].start, min(past[i].end, q.frames))]
    return Question(task, text, answer, q.frames, evidence, named=named, earlier=[(q.text, q.answer, q.frames)])


def after_others(asker: Asker, q: Question, asked: list[Question], length: int) -> Question:
    """The same question after one or two others about the stream, if they fit: people who ask several things in a row
    mean each on its own."""
    if q.earlier or asker.rng.random() > AFTER_OTHERS:
        return q
    room = length - asker.size(q)
    earlier: list[tuple[str, str, int]] = []
    before = [o for o in asked if o.frames <= q.frames and not o.earlier]
    for _ in range(int(asker.rng.integers(1, 2, endpoint=True))):
        fitting = [o for o in before if asker.size(o) <= room]
        if not fitting:
            break
        o = asker.pick(fitting)
        wrong = o.task in ("now", "first", "last", "at", "ago", "before", "after") and asker.rng.random() < WRONG_BEFORE
        answer = asker.pick(asker.world.all_names) if wrong else o.answer
        if wrong and len(asker.encode(answer)) > len(asker.encode(o.answer)):
            answer = o.answer
        room -= asker.size(o)
        earlier.append((o.text, answer, o.frames))
    return replace(q, earlier=sorted(earlier, key=lambda turn: turn[2]))


def chat(asker: Asker, _task: str, m: Moment) -> Question:
    asked, answer = asker.pick(CHAT)
    return Question("chat", asker.pick(asked), answer, m.frames)


ASKS = {**NOW, **PAST, **NUMBERS}  # all other tasks are chat
