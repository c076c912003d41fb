"""Streams and their questions as the tensors of one step."""

import copy
from collections import Counter
from typing import Protocol

import numpy as np
import torch

from backbone import VECTORS
from spans import Question, standing
from text import END, START
from world import World

# Maximum tokens of a whole segment and of its answer. One long segment pads the whole batch, so long ones (captions,
# follow-ups) have batches of their own.
SHORT, LONG = (30, 10), (48, 16)
# Tasks that copies are used for: they tell one thing from all others, whereas counts of things and seconds would count
# the copies.
ASKED_OF_COPIES = {"seen", "seenkind", "seennow", "seennowkind", "when", "left", "before", "after"}


class Maker(Protocol):
    """What batches need of the `StreamMaker` (streams.py) that makes them."""

    world: World

    def encode(self, text: str) -> list[int]: ...


class Batch:
    """One batch as tensors; `made` keeps the plain streams and questions for reports.

    `asked`: the questions of each group of streams that are read together; by default each stream is a group.
    `begins`: the frame of each stream from which on its questions read it.
    `parts`: into how many parts a stream is split for the self-decoder (`in_parts` of train.py); `of` and `copies` as
    in `CrossDecoder.forward`; `cached`: the shared K, V of the streams if they are already known (`haystacks.py`).
    """

    cached: tuple[torch.Tensor, torch.Tensor] | None = None
    copies: torch.Tensor | None = None

    def __init__(self, maker: Maker, made, asked: list[list[Question]] | None = None, parts: int = 1, of: float = 1, begins: list[int] | None = None):
        self.made = made
        with torch.device("cpu"):  # many small tensors, each of which would be sent to a GPU on its own
            self._fill(maker, made, asked or [m[2] for m in made], parts, of, begins)
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(self, name, value.to(torch.get_default_device()))

    def _fill(self, maker: Maker, made, asked: list[list[Question]], parts: int, of: float, begins: list[int] | None) -> None:
        w = maker.world
        self.together, self.parts, self.of = len(made) // len(asked), parts, of
        b, t = len(made), len(made[0][1])
        rows: list[list[int]] = []
        self.frame_row = torch.zeros(b, t, dtype=torch.long)
        self.label = torch.full((b, t), -1, dtype=torch.long)
        self.previous = torch.full((b, t), -1, dtype=torch.long)
        self.since = torch.zeros(b, t, dtype=torch.long)
        for i, (spans, times, _) in enumerate(made):
            mine: list[int] = []
            before = -1
            for s in spans:
                at = torch.arange(s.start, s.end)
                first = len(mine)
                mine += s.rows
                self.frame_row[i, s.start : s.end] = first + (at - s.start) % len(s.rows)
                self.label[i, s.start : s.end] = w.vocab.index.get(s.label, -1)
                self.previous[i, s.start : s.end] = before
                self.since[i, s.start : s.end] = int(times[s.start])
                before = w.vocab.index.get(s.label, -1)
            rows.append(mine)
        most = max(map(len, rows))
        index = np.array([r + [r[0]] * (most - len(r)) for r in rows])
        for key, array in w.mix.items():
            value = torch.from_numpy(array[index])
            setattr(self, key, value.long() if key == "top" else value.float())
        self.times = torch.tensor(np.stack([m[1] for m in made]), dtype=torch.long)
        self.stood = torch.tensor(np.stack([standing(m[1]) for m in made]))
        # How each frame relates to the one before it: 0 the same picture, 1 another picture of the same thing, 2
        # another thing.
        shown = torch.from_numpy(index).gather(1, self.frame_row)
        self.change = torch.full((b, t), 2)
        self.change[:, 1:] = torch.where(self.since[:, 1:] != self.since[:, :-1], 2, (shown[:, 1:] != shown[:, :-1]).long())

        count = len(asked[0])
        texts, seps, answers, moments = [], [], [], []
        for q in (q for group in asked for q in group):
            ids: list[int] = []
            for text, answer, _ in q.earlier:
                ids += [START, *maker.encode(text), END, *maker.encode(answer), END]
            ids += [START, *maker.encode(q.text), END]
            moments.append([frames for _, _, frames in q.earlier] + [q.frames])
            answer = [*maker.encode(q.answer)[: LONG[1] - 1], END]
            seps.append(len(ids) - 1)
            texts.append(ids + answer[:-1])
            answers.append(answer)
        length, longest = max(map(len, texts)), max(map(len, answers))
        length = -(-length // 8) * 8
        groups = len(asked)
        self.lengths = torch.tensor([len(t) for t in texts])
        self.ids = torch.full((groups * count, length), END, dtype=torch.long)
        self.text_times = torch.full((groups * count, length), -1, dtype=torch.long)
        self.answer = torch.full((groups, count, longest), -1, dtype=torch.long)
        self.sep = torch.tensor(seps).view(groups, count)
        self.begins = torch.tensor(begins or [0] * groups)
        self.frames = torch.tensor([[q.frames for q in group] for group in asked])
        self.evidence = torch.zeros(groups, count, self.together * t)
        self.anchor = torch.zeros(groups, count, self.together * t)
        self.named = torch.zeros(groups, count, self.together * t)
        for n, ids in enumerate(texts):
            i, j = divmod(n, count)
            self.ids[n, : len(ids)] = torch.tensor(ids)
            starts = (torch.tensor(ids) == START).nonzero().flatten()
            self.text_times[n, starts] = self.times[i * self.together, torch.tensor(moments[n]) - 1]
            self.answer[i, j, : len(answers[n])] = torch.tensor(answers[n])
            q = asked[i][j]
            for target, ranges in ((self.evidence, q.evidence), (self.anchor, q.anchor), (self.named, q.evidence if q.named is None else q.named)):
                for a, z in ranges:
                    target[i, j, a:z] = 1
        self.cells = torch.tensor([[[not q.cells or cell in q.cells for cell in range(VECTORS)] for q in group] for group in asked])
        self.tasks = [[q.task for q in group] for group in asked]
        self.kinds = [[self._kind(made[i * self.together : (i + 1) * self.together], q, t) for q in group] for i, group in enumerate(asked)]

    @staticmethod
    def _kind(streams, q: Question, length: int) -> str:
        """The set of the span on which the answer rests."""
        if not q.evidence:
            return "-"
        stream, frame = divmod(q.evidence[0][0], length)
        return next(s.sample.set for s in streams[stream][0] if s.start <= frame < s.end)

    def copy_hay(self, number: float) -> None:
        """Makes what comes more than once in the stream stand for `number` copies, for the questions of
        ASKED_OF_COPIES."""
        (spans, times, _), = self.made
        what = [s.identity or s.rows[0] for s in spans]
        often = Counter(what)
        frames = torch.ones(len(times))
        for s, thing in zip(spans, what):
            if often[thing] > 1:
                frames[s.start : s.end] = number
        asked = torch.tensor([[task in ASKED_OF_COPIES for task in row] for row in self.tasks])
        self.copies = torch.where(asked.unsqueeze(-1), frames.repeat_interleave(VECTORS), 1.0)

    def part(self, begin: int, count: int, tokens: int) -> "Batch":
        """The same streams with `count` of the questions, from `begin` on, and only the first `tokens` tokens of their
        answers."""
        one, (groups, questions) = copy.copy(self), self.sep.shape
        chosen = slice(begin, begin + count)
        for name in ("sep", "frames", "evidence", "anchor", "named", "cells"):
            setattr(one, name, getattr(self, name)[:, chosen])
        one.answer = self.answer[:, chosen, :tokens]
        one.copies = None if self.copies is None else self.copies[:, chosen]
        for name in ("ids", "lengths", "text_times"):
            setattr(one, name, getattr(self, name).unflatten(0, (groups, questions))[:, chosen].flatten(0, 1))
        one.tasks, one.kinds = ([row[chosen] for row in rows] for rows in (self.tasks, self.kinds))
        return one
