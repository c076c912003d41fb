"""What streams are made of: spans, each of which shows one view for a while; questions about them, and what these may
ask."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from backbone import CELLS
from labels import Sample
from time_code import DAY, LONGEST

WHOLE = CELLS  # the token of a frame that has seen all of it
ONSET_FRAMES = 2  # frames of a thing, from its first, that tell when it appeared


@dataclass
class Span:
    rows: list[int]  # views shown in turn (one for a still, several for a changing picture)
    label: str | None  # what a question may call it; None if its picture does not tell
    sample: Sample
    things: list  # sprites of the view
    start: int  # first frame
    end: int  # one past the last frame
    period: int = 0  # frames per repetition of an exercise; 0: none
    identity: str | None = None  # what it is, even if its picture does not tell; default: its label

    def __post_init__(self):
        self.identity = self.identity or self.label


@dataclass
class Question:
    task: str
    text: str
    answer: str
    frames: int  # frames of the stream before the question's moment
    evidence: list[tuple[int, int]] = field(default_factory=list)
    # Where the first half of the layers should look: at what the question names, if the answer is something else.
    anchor: list[tuple[int, int]] = field(default_factory=list)
    # Frames that show the named thing, if they are not the evidence; empty for a thing that was never shown.
    named: list[tuple[int, int]] | None = None
    # Earlier turns: the question, its answer, and how many of the stream's frames lay before it.
    earlier: list[tuple[str, str, int]] = field(default_factory=list)
    cells: tuple[int, ...] = ()  # the tokens of a frame that are evidence, if not all of them


class Moment:
    """What is known of a stream after its first `frames` frames, and may thus be asked about. `times`: of all its
    frames, ms."""

    def __init__(self, spans: list[Span], frames: int, times: np.ndarray):
        self.spans, self.frames, self.times = spans, frames, times
        self.past = [s for s in spans if s.start < frames]
        self.now = self.past[-1]
        self.here = [(self.now.start, frames)]
        self.times_shown = Counter(s.identity for s in self.past)

    def of(self, s: Span) -> list[tuple[int, int]]:
        """The frames that show it."""
        return [(s.start, min(s.end, self.frames))]

    def onset(self, s: Span) -> list[tuple[int, int]]:
        """The frames that tell when it appeared."""
        return [(s.start, min(s.start + ONSET_FRAMES, s.end, self.frames))]

    def unique(self, s: Span) -> bool:
        return s.label is not None and self.times_shown[s.label] == 1

    def alone(self, s: Span) -> bool:
        """Whether its name, or if it has none a word for its kind, may mean it alone."""
        return s.label is None or self.unique(s)


def part_of(spans: list[Span], begin: int) -> list[Span]:
    """The spans that a reading sees which starts at frame `begin`, numbered from there. How often an exercise that was
    already under way has been done is unknown."""
    return [replace(s, start=max(0, s.start - begin), end=s.end - begin, period=s.period if s.start >= begin else 0) for s in spans if s.end > begin]


def later(q: Question, frames: int) -> Question:
    """The same question, with `frames` more frames before the stream's first."""
    ranges = lambda some: [(a + frames, z + frames) for a, z in some]
    return replace(q, frames=q.frames + frames, evidence=ranges(q.evidence), anchor=ranges(q.anchor), named=None if q.named is None else ranges(q.named),
                   earlier=[(text, answer, before + frames) for text, answer, before in q.earlier])


def clock_text(ms: int) -> str:
    """`0:42`, or `1:02:03` from an hour on; modulo a day, which is what the digits of a time cover."""
    s = ms % DAY // 1000
    return f"{s // 3600}:{s // 60 % 60:02}:{s % 60:02}" if s >= 3600 else f"{s // 60}:{s % 60:02}"


def standing(times: np.ndarray) -> np.ndarray:
    """Times of a stream's frames -> for how many ms each stood until the next one; 0 for the last."""
    return np.minimum(np.diff(times, append=times[-1]), LONGEST)
