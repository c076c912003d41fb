"""Training streams: views of pictures in order on a clock, questions about them (questions.py), and the answers.

A stream is a few *spans*; each shows one view for a while. All randomness comes from one generator, so a seed gives the
same streams. Labels come from the data; times are those of the frames.
"""

import math

import numpy as np

from asker import NEGATIVE_SHARE, GENERAL, Asker
from backbone import VECTORS
from batch import LONG, SHORT, Batch
from questions import after_others, follow_up, question, several
from signs import SET as SIGNS
from spans import Question, Span, later, part_of
from time_code import DAY
from world import World

SET_SHARE = {"grocery": 0.26, "clothing": 0.15, "imagenet-samples": 0.27, "emoji": 0.06, "stamps": 0.05, "exercises": 0.1,
             "flickr": 0.13, "daquar": 0.04, "boards": 0.05, SIGNS: 0.04}
LONG_SHARE = 0.12
# Share of the streams with two frames a second, and the intervals of the others in ms.
USUAL_RATE, INTERVALS = 0.7, (200, 250, 1000, 1000, 2000, 3000)
GAP_STREAMS = 0.5  # share of the streams with several spans that have gaps in time between them
BRIEF = 10  # the answer about a long stream must have fewer tokens: each token reads all of the stream
OF_ONE_KIND = 0.45  # share of the streams whose things are all of one or two sets, and so look alike
TASK_SHARE = {"now": 14, "choice": 3, "whichof": 2, "seen": 13, "seennow": 13, "first": 4, "last": 3, "before": 14, "after": 14, "at": 10, "ago": 4, "seenwithin": 3, "when": 12, "left": 8, "different": 14, "reads": 2, "ground": 2, "colour": 3,
              "times": 3, "duration": 6, "repetitions": 6, "changed": 4, "haschanged": 12, "describe": 3, "where": 6, "howmany": 9, "attribute": 2, "chat": 2}
# Tasks of long streams: what must be found among much else.
LONG_TASKS = {"at": 14, "ago": 4, "seenwithin": 3, "before": 24, "after": 28, "when": 12, "left": 15, "seen": 22, "seennow": 9, "now": 5, "first": 3, "last": 2, "changed": 2, "haschanged": 10,
              "times": 6, "duration": 10, "different": 12, "repetitions": 1}
AGAIN = 0.08  # share of the spans that show something shown before
COMES_AGAIN = 0.75  # the same for streams about which questions ask how often something came
# Long streams in which a few things come again and again, and some only once: what is asked for is not what is seen
# most.
HAYSTACKS, HAY, HAY_AGAIN, HAY_ONCE = 0.5, 12, 0.85, 60
# Long streams that stand for the cells that an index chose from up to a day: there are gaps between their things, and
# attention is as sharp as for up to LEFT_OUT times as many tokens.
INDEXED, LEFT_OUT = 0.3, 200
# Long streams whose recurring things each stand for many copies, up to the tokens of a day: a haystack of a day at the
# cost of minutes.
COPIED, COPIED_UP_TO = 0.5, 2_000_000
REPEATED = 0.6  # share of the exercises that are repeated, start and end in turn
OFTEN = 12  # factor for how often repetitions are asked about if there are any
# Tasks of questions that read several streams at once.
SEVERAL_SHARE = {"which": 4, "whichever": 3, "oncamera": 3, "seen": 1, "when": 1}
# Share of the streams of which only a part is read, from some frame on: for "the last minute" the service reads that
# minute alone.
PART = 0.25


class StreamMaker:
    def __init__(self, world: World, seed: int, held_out_phrasings: bool = False, sets: dict[str, float] | None = None, part: float = 0, general: float = GENERAL,
                 absent_share: float = NEGATIVE_SHARE):
        """`part`: share of the streams of which only a part is read; `general`: share of the things that are called by
        a word for many; `absent_share`: share of the questions about a thing that name one which was never shown."""
        self.world, self.rng, self.part = world, np.random.default_rng(seed), part
        share = sets or SET_SHARE
        self.sets = [s for s in share if world.by_set.get(s)]
        self.share = np.array([share[s] for s in self.sets], float)
        self.share /= self.share.sum()
        self.asker = Asker(world, self.rng, held_out_phrasings, self.sets, self.share, general, absent_share)
        self.encode = self.asker.encode

    def span(self, start: int, end: int, previous: list[Span], again: float, share: np.ndarray) -> Span:
        """`again`: probability that it shows something shown before; 0: never, as long as names are left."""
        w = self.world
        for _ in range(20):
            if previous and self.rng.random() < (again if again < HAY_AGAIN or len(previous) > HAY else 0):
                old = self.asker.pick(previous[: HAY + 1] if again >= HAY_AGAIN else previous)
                kind, label = old.sample.set, old.identity
                row = self.asker.pick(w.by_name[(kind, label)]) if label else old.rows[0]
            else:
                kind = self.sets[self.rng.choice(len(self.sets), p=share)]
                # Drawn by name, not by picture: rare names are asked as often as frequent ones.
                row = self.asker.pick(w.by_name[(kind, self.asker.pick(w.names[kind]))]) if w.names[kind] and self.rng.random() < 0.7 else self.asker.pick(w.by_set[kind])
            label = w.row_label(row)
            if label is None or label not in {p.identity for p in (previous[-1:] if again else previous)}:
                break
        rows = [row]
        sample = w.views[row][0]
        name = label if label and w.name_is_visible(row) else None
        if w.samples[sample].set == "exercises" and end - start >= 4 and self.rng.random() < REPEATED:
            # Of the same view number: a letterbox that comes and goes is not a movement.
            pose = w.samples[sample].extra.get("pose")
            other = [r for r in w.by_name[("exercises", label)] if w.views[r][1] == w.views[row][1] and w.samples[w.views[r][0]].extra.get("pose") != pose]
            if other:
                held = int(self.rng.integers(1, 1 + max(1, min(4, (end - start) // 4))))
                return Span([row] * held + [self.asker.pick(other)] * held, name, w.samples[sample], [], start, end, 2 * held, label)
        if label and self.rng.random() < 0.3 and not w.views[row][2] and w.samples[sample].set != "exercises":
            twins = [r for r in w.by_name[(w.samples[sample].set, label)] if w.views[r][0] == sample]
            rows.append(self.asker.pick(twins))
        return Span(rows, name, w.samples[sample], w.views[row][2], start, end, identity=label)

    def spans(self, frames: int, most: int = 14, again: float = AGAIN) -> list[Span]:
        count = 1 if frames <= 2 else int(self.rng.integers(1 if frames < 12 else 2, max(3, min(most + 1, frames // 3 + 1))))
        cuts = sorted(self.rng.choice(np.arange(1, frames), min(count - 1, frames - 1), replace=False).tolist()) if count > 1 else []
        # Spans shorter than three frames are joined to the previous one: a person could not say when they were.
        kept, last = [], 0
        for cut in cuts:
            if cut - last >= min(3, frames // count) and frames - cut >= min(3, frames // count):
                kept.append(cut)
                last = cut
        out: list[Span] = []
        share = self.share_of_stream()
        for start, end in zip([0, *kept], [*kept, frames]):
            out.append(self.span(start, end, out, again, share))
        return out

    def share_of_stream(self) -> np.ndarray:
        """The probability of each set for a stream's things: either as in all streams, or only one or two sets beside
        those without names."""
        named = [i for i, kind in enumerate(self.sets) if self.world.names[kind]]
        of_named = self.share[named].sum()
        if len(named) < 2 or of_named < 0.5 or self.rng.random() > OF_ONE_KIND:
            return self.share
        chosen = self.rng.choice(named, size=int(self.rng.integers(1, 2, endpoint=True)), replace=False, p=self.share[named] / of_named)
        share = self.share.copy()
        share[named] = 0
        share[chosen] = self.share[chosen] * of_named / self.share[chosen].sum()
        return share

    def clock(self, frames: int) -> np.ndarray:
        """Times of a stream's frames in ms: from zero or from any moment of a day, which is what the digits of a time
        cover; regular or with jitter."""
        interval = 500 if self.rng.random() < USUAL_RATE else int(self.rng.choice(INTERVALS))
        r = self.rng.random()
        begin = int(self.rng.integers(0, 0 if r < 0.6 else 600_000 if r < 0.82 else 36_000_000 if r < 0.95 else DAY - frames * interval, endpoint=True))
        times = begin + np.arange(frames) * interval
        if r < 0.3:
            times = times + np.sort(self.rng.integers(0, interval // 2, frames)) * (np.arange(frames) > 0)
        return times

    def begin(self, frames: int) -> int:
        """The frame at which reading a stream begins."""
        return int(self.rng.integers(1, max(2, 4 * frames // 5))) if self.part and frames >= 4 and self.rng.random() < self.part else 0

    def batch_of_one(self, frames: int, parts: int, questions: int, tasks: dict[str, float] | None = None, distinct: bool = False, hay: bool = False) -> Batch:
        """Questions about one long stream, which the self-decoder sees in parts: minutes of memory at the cost of short
        streams.

        `distinct`: nothing comes twice; `hay`: most of it comes again and again, and stands for up to a day.
        """
        times = self.clock(frames)
        most = frames // 6
        again = max(HAY_AGAIN, 1 - HAY_ONCE / most)
        again = again if hay or self.rng.random() < HAYSTACKS else AGAIN
        spans = self.spans(frames, most, 0 if distinct else again)
        of = 1.0
        if not hay and self.rng.random() < INDEXED:
            times, of = self.with_gaps(times, spans), float(math.exp(self.rng.uniform(0, math.log(LEFT_OUT))))
        begin = 0 if hay else self.begin(frames)
        shown, shown_at = part_of(spans, begin), times[begin:]
        asked: list[Question] = []
        tries = 0
        while len(asked) < questions:
            tries += 1
            # A stream may have nothing that some tasks could ask about.
            tasks = LONG_TASKS if tasks is None or tries > questions * 40 else tasks
            names, p = list(tasks), np.array(list(tasks.values()), float)
            upto = frames - begin if self.rng.random() < 0.3 else int(self.rng.integers(1, frames - begin + 1))
            q = question(self.asker, names[self.rng.choice(len(p), p=p / p.sum())], shown, upto, shown_at)
            if q and self.asker.size(q) <= SHORT[0] and len(self.asker.encode(q.answer)) < BRIEF:
                asked.append(after_others(self.asker, q, asked, SHORT[0]))
        batch = Batch(self, [(spans, times, [later(q, begin) for q in asked])], parts=parts, of=of, begins=[begin])
        if hay or again != AGAIN and of == 1 and not distinct and self.rng.random() < COPIED:
            most = COPIED_UP_TO / (frames * VECTORS)
            batch.copy_hay(float(math.exp(self.rng.uniform(0, math.log(most)))))
        return batch

    def with_gaps(self, times: np.ndarray, spans: list[Span]) -> np.ndarray:
        """Adds gaps of seconds to hours between the spans: even a short stream then needs every digit of a time."""
        longest = self.rng.uniform(math.log(2_000), math.log(3 * 3_600_000))
        times = times.copy()
        for s in spans[1:]:
            times[s.start :] += int(math.exp(self.rng.uniform(math.log(1_000), longest)))
        return times

    def batch_of_several(self, groups: int, streams: int, frames: int, questions: int, tasks: dict[str, float] | None = None) -> Batch:
        """Questions that each read `streams` streams; the streams of a group share one clock."""
        tasks = tasks or SEVERAL_SHARE
        p = np.array(list(tasks.values()), float)
        made, asked = [], []
        for _ in range(groups):
            times = self.clock(frames)
            group = [self.spans(frames) for _ in range(streams)]
            made += [(spans, times, []) for spans in group]
            mine: list[Question] = []
            while len(mine) < questions:
                upto = frames if self.rng.random() < 0.5 else int(self.rng.integers(1, frames + 1))
                q = several(self.asker, list(tasks)[self.rng.choice(len(p), p=p / p.sum())], group, upto, times)
                if q and self.asker.size(q) <= SHORT[0]:
                    mine.append(after_others(self.asker, q, mine, SHORT[0]))
            asked.append(mine)
        return Batch(self, made, asked)

    def batch(self, streams: int, frames: int, questions: int, tasks: dict[str, float] | None = None, long: bool | None = None, again: float = AGAIN) -> Batch:
        """`long`: whether segments may be long, as descriptions require; default: sometimes. `again`: share of the
        spans that show something shown before."""
        tasks = tasks or TASK_SHARE
        long = self.rng.random() < LONG_SHARE if long is None else long
        length, longest = LONG if long else SHORT
        names = [t for t in tasks if long or t != "describe"]
        made, begins = [], []
        for _ in range(streams):
            spans = self.spans(frames, again=again)
            often = {"describe": 4, "repetitions": OFTEN if any(s.period for s in spans) else 0}
            p = np.array([tasks[t] * often.get(t, 1) for t in names], float)
            p = p / p.sum() if p.any() else np.full(len(p), 1 / len(p))
            times = self.clock(frames)
            if frames >= 8 and self.rng.random() < GAP_STREAMS:
                times = self.with_gaps(times, spans)
            begin = self.begin(frames)
            shown, shown_at = part_of(spans, begin), times[begin:]
            asked: list[Question] = []
            tries = 0
            while len(asked) < questions:
                tries += 1
                task = names[self.rng.choice(len(names), p=p)] if tries < questions * 40 else "seen"
                upto = frames - begin if self.rng.random() < 0.5 else int(self.rng.integers(1, frames - begin + 1))
                q = question(self.asker, task, shown, upto, shown_at)
                if q is None:
                    continue
                if long and self.rng.random() < 0.5:
                    q = follow_up(self.asker, q, shown, shown_at) or q
                if self.asker.size(q) <= length and (len(self.asker.encode(q.answer)) < longest or q.task == "describe"):
                    asked.append(after_others(self.asker, q, asked, length))
            made.append((spans, times, [later(q, begin) for q in asked]))
            begins.append(begin)
        return Batch(self, made, begins=begins)
