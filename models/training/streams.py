"""Streams to train on: views of pictures put in order on a clock, questions about them, and the answers.

One stream is a few *spans*; a span shows one view for a while. Everything random comes from one generator, so that a
seed gives the same streams. Labels come from the data; times are those of the frames.
"""

import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np

from backbone import VECTORS
from batch import LONG, SHORT, Batch
from descriptions import described_by_name, with_article
from kinds import ALSO_CALLED, ANIMALS, COUNTED, EATEN, HELD, PEOPLE, TRAFFIC, UNCOUNTED, Kinds
from labels import SCENES
from model import COUNTED_BELOW, DAY, LONGEST
from phrasings import CHAT, FOLLOW_UPS, HELD_OUT, NO_CHANGE, NOT_SHOWN, PHRASINGS, STILL_SHOWN
from signs import SET as SIGNS
from signs import ground
from spans import ONSET_FRAMES, WHOLE, Moment, Question, Span, clock_text, later, part_of, standing
from text import encode
from world import World

SET_SHARE = {"grocery": 0.26, "clothing": 0.15, "imagenet-samples": 0.27, "emoji": 0.06, "stamps": 0.05, "exercises": 0.1,
             "flickr": 0.13, "daquar": 0.04, "boards": 0.05, SIGNS: 0.04}
PLACES = ["top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right"]
LONG_SHARE = 0.12
# Share of the streams of two frames a second, and the ms between those of the others.
USUAL_RATE, INTERVALS = 0.7, (200, 250, 1000, 1000, 2000, 3000)
GAP_STREAMS = 0.5  # share of the streams of several spans with gaps in their time
BRIEF = 10  # tokens of an answer about a long stream: each reads all of it
OF_ONE_KIND = 0.45  # share of the streams whose things are all of one set or two: what is to be told apart then looks alike
BORDER_FRAMES = 3  # how many frames on each side of a change know of both things
# Questions about a thing, and how many of them name one that was never shown.
OF_A_THING, ABSENT_SHARE = ("before", "after", "when", "left"), 0.2
TASK_SHARE = {"now": 14, "choice": 3, "whichof": 2, "seen": 13, "seennow": 13, "first": 4, "last": 3, "before": 14, "after": 14, "at": 10, "ago": 4, "seenwithin": 3, "when": 12, "left": 8, "different": 14, "reads": 2, "ground": 2, "colour": 3,
              "times": 3, "duration": 6, "repetitions": 6, "changed": 4, "haschanged": 12, "describe": 3, "where": 6, "howmany": 9, "attribute": 2, "chat": 2}
# Of long streams: what must be found among much else.
LONG_TASKS = {"at": 14, "ago": 4, "seenwithin": 3, "before": 24, "after": 28, "when": 12, "left": 15, "seen": 22, "seennow": 9, "now": 5, "first": 3, "last": 2, "changed": 2, "haschanged": 10,
              "times": 6, "duration": 10, "different": 12, "repetitions": 1}
GONE = 0.5  # share of the things that are asked for now and not there that were there before
CONFUSED = 0.35  # share of the things that are asked for and not there that a picture shown looks like, by the projector's own account
# Share of the questions for how many different things that are kept where one came again, and the frames of a stream up to which they are: what
# began longer ago no key knows, and a tally that is told to leave out what it cannot know counts each thing a little less than once.
SHOWN_AGAIN, AGAIN_KNOWN = 0.25, 60
AGAIN = 0.08  # share of the spans that show what was shown before
COMES_AGAIN = 0.75  # the same of streams of which is asked how often something came
# Of such questions: share of what never came, how many times a thing came at most, and from how many times on that is asked each time.
NEVER_CAME, MOST_TIMES, OFTEN_CAME = 0.15, 20, 4
# Long streams of few things that come again and again, and some that come once: what is to be found is not what is seen most.
HAYSTACKS, HAY, HAY_AGAIN, HAY_ONCE = 0.5, 12, 0.85, 60
# Long streams that stand for what an index chose of up to a day: there are gaps between their things, and attention is as sharp as
# for up to so many times as many tokens.
INDEXED, LEFT_OUT = 0.3, 200
# Such streams whose things that come again stand each for many alike, up to a day's tokens: a haystack of a day at the price of one of minutes.
COPIED, COPIED_UP_TO = 0.5, 2_000_000
SYNONYM = 0.4  # share of the things with other names that are asked for by one of them
NAMED_YES = 0.4  # share of yes where a thing is asked for by its own name: a name is believed too readily, a word for many things is not
GENERAL, GENERAL_OF_KINDS = 0.35, 0.75  # share of the things asked for that are called by a word for things of many names, where one says which is meant; and of steps of their own
# Of two kinds that one has to choose from, how often both are of one family: "a dog or a cat" is asked rather than "a dog or a bus".
AKIN, FAMILIES = 0.6, (ANIMALS - {"animal"}, PEOPLE, TRAFFIC - {"street", "vehicle"}, EATEN - {"food"}, HELD - {"musical instrument"})
UNBALANCED = 4  # by how much such a word may be oftener there than not
REPEATED = 0.6  # share of the exercises that are done again and again: start and end in turn
OFTEN = 12  # how much more often their number is asked where there is one
MUCH = 8
FRAMES_A_THING = 15  # of a long stream: how many things there are in it grows with it
UNCHANGED_SHARE = 0.2  # questions for what has changed that come before anything has
CHANGED_WITHIN = (3, 5, 10, 20, 30, 60)  # s
SEEN_WITHIN = (5, 10, 15, 20, 30, 60, 120, 300, 600, 1800, 3600)  # s
HARDLY_MORE, HARDLY_MORE_MS = 4, 5_000
# Of what has not changed within that time, how much is a stream's first thing: where it is most, "yes" is as good as "there was another thing".
FIRST_STILL_SHARE = 0.2
# Of questions that read several streams at once.
SEVERAL_SHARE = {"which": 4, "whichever": 3, "oncamera": 3, "seen": 1, "when": 1}


# Share of the questions for what was shown at a time, or so long ago, that ask for a time at which there was nothing yet, or is nothing yet.
NO_SUCH_TIME = 0.1
# By how much, of the time back to it, what is asked for lies inside of what was shown then: nobody means it to the second.
ABOUT = 0.05
# Share of the questions that come after others, which have nothing to do with them, and of those of which the answers before were wrong.
AFTER_OTHERS, WRONG_BEFORE = 0.35, 0.2
# Share of the streams of which a part is asked, which begins at some frame: of "the last minute" the service reads that minute.
PART = 0.25
CLEARLY = 0.4  # by how much seconds may be more or less than what is said of them: of half a second either number would be right
SAYS_NOTHING = 0.1  # share of the photographs that are asked what they say, which is mostly nothing that could be read
OF_PEOPLE = re.compile(r"\b(they|person)\b")  # of a question that takes it for granted that there are people
LARGE = 0.5  # of a picture's side: a cut-out that large has no place in it
# Share of the questions where, how many and how often of the only thing there is that name another one: a thing whose name was
# never trained has a place and a number too.
MISNAMED = 0.12

BEFORE_IT = ["please, ", "hey, ", "so ", "ok, ", "and ", "now, ", "tell me, ", "please tell me: ", "one question: ", "well, ", "i want to know: ", "do you know, ", "sorry, ", "hi, "]
AFTER_IT = [" please", ", please?", "??", " ?", " then?", ", do you know?", " thanks"]


class StreamMaker:
    def __init__(self, world: World, seed: int, held_out_phrasings: bool = False, sets: dict[str, float] | None = None, part: float = 0, general: float = GENERAL):
        """`part`: share of the streams of which only a part is asked; `general`: of the things that are called by a word for many."""
        self.world, self.rng, self.part, self.general = world, np.random.default_rng(seed), part, general
        self.held_out = held_out_phrasings
        share = sets or SET_SHARE
        self.sets = [s for s in share if world.by_set.get(s)]
        self.share = np.array([share[s] for s in self.sets], float)
        self.share /= self.share.sum()
        self._ids: dict[str, list[int]] = {}
        # By how much a word for things of many names was oftener answered with yes than with no: the word alone must not tell.
        self.said_yes: Counter[str] = Counter()

    def encode(self, text: str) -> list[int]:
        if text not in self._ids:
            if len(self._ids) > 200_000:
                self._ids.clear()
            self._ids[text] = encode(text)
        return self._ids[text]

    def pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    # --- the stream -------------------------------------------------------------------------------------------

    def span(self, start: int, end: int, previous: list[Span], again: float, share: np.ndarray) -> Span:
        """`again`: how likely it shows what was shown before; 0: never, as far as there are names left."""
        w = self.world
        for _ in range(20):
            if previous and self.rng.random() < (again if again < HAY_AGAIN or len(previous) > HAY else 0):
                old = self.pick(previous[: HAY + 1] if again >= HAY_AGAIN else previous)
                kind, label = old.sample.set, old.identity
                row = self.pick(w.by_name[(kind, label)]) if label else old.rows[0]
            else:
                kind = self.sets[self.rng.choice(len(self.sets), p=share)]
                # By name, not by picture: rare names are asked as often as frequent ones.
                row = self.pick(w.by_name[(kind, self.pick(w.names[kind]))]) if w.names[kind] and self.rng.random() < 0.7 else self.pick(w.by_set[kind])
            label = w.row_label(row)
            if label is None or label not in {p.identity for p in (previous[-1:] if again else previous)}:
                break
        rows = [row]
        sample = w.views[row][0]
        name = label if label and w.told(row) else None
        if w.samples[sample].set == "exercises" and end - start >= 4 and self.rng.random() < REPEATED:
            # Of the same view: a letterbox that comes and goes is no movement.
            pose = w.samples[sample].extra.get("pose")
            other = [r for r in w.by_name[("exercises", label)] if w.views[r][1] == w.views[row][1] and w.samples[w.views[r][0]].extra.get("pose") != pose]
            if other:
                held = int(self.rng.integers(1, 1 + max(1, min(4, (end - start) // 4))))
                return Span([row] * held + [self.pick(other)] * held, name, w.samples[sample], [], start, end, 2 * held, label)
        if label and self.rng.random() < 0.3 and not w.views[row][2] and w.samples[sample].set != "exercises":
            twins = [r for r in w.by_name[(w.samples[sample].set, label)] if w.views[r][0] == sample]
            rows.append(self.pick(twins))
        return Span(rows, name, w.samples[sample], w.views[row][2], start, end, identity=label)

    def spans(self, frames: int, most: int = 14, again: float = AGAIN) -> list[Span]:
        count = 1 if frames <= 2 else int(self.rng.integers(1 if frames < 12 else 2, max(3, min(most + 1, frames // 3 + 1))))
        cuts = sorted(self.rng.choice(np.arange(1, frames), min(count - 1, frames - 1), replace=False).tolist()) if count > 1 else []
        # A span shorter than three frames is joined to the one before it: a person could not say when it was.
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
        """How likely a stream's things are of each set: of all of them, or of one or two beside what has no names."""
        named = [i for i, kind in enumerate(self.sets) if self.world.names[kind]]
        of_named = self.share[named].sum()
        if len(named) < 2 or of_named < 0.5 or self.rng.random() > OF_ONE_KIND:
            return self.share
        chosen = self.rng.choice(named, size=int(self.rng.integers(1, 2, endpoint=True)), replace=False, p=self.share[named] / of_named)
        share = self.share.copy()
        share[named] = 0
        share[chosen] = self.share[chosen] * of_named / self.share[chosen].sum()
        return share

    # --- questions --------------------------------------------------------------------------------------------

    def phrase(self, task: str, **words: str) -> str:
        forms = PHRASINGS[task]
        text = self.pick(forms[-HELD_OUT:] if self.held_out else forms[:-HELD_OUT]).format(**words)
        r = self.rng.random()
        if self.held_out or r < 0.45:
            return text
        if r < 0.7:
            return text.rstrip("?")
        if r < 0.78 and len(text) > 8:  # a typing error: two neighbours swapped, or one lost; another digit would be another question
            i = int(self.rng.integers(1, len(text) - 2))
            if any(letter.isdigit() for letter in text[i : i + 2]):
                return text
            return text[:i] + (text[i + 1] + text[i] + text[i + 2 :] if r < 0.74 else text[i + 1 :])
        if r < 0.94:
            return self.pick(BEFORE_IT) + text
        return text.rstrip("?") + self.pick(AFTER_IT)

    def thing(self, label: str, definite: bool = False) -> str:
        if label in self.world.synonyms and self.rng.random() < SYNONYM:
            label = self.pick(self.world.synonyms[label])
        r = self.rng.random()
        if definite:
            return f"the {label}" if r < 0.8 else label
        return with_article(label) if r < 0.55 else f"the {label}" if r < 0.8 else label

    def thing_of_kind(self, word: str) -> str:
        also = ALSO_CALLED.get(word)
        if also and self.rng.random() < 0.4:
            return self.pick(also)
        return word if word in UNCOUNTED else self.thing(word)

    def shows(self, span: Span) -> Kinds:
        return self.world.kinds(span.rows[0])

    def kinds_of_it_alone(self, s: Span, others: list[Span]) -> list[str]:
        """Words for things of many names that this span shows and no other one, but for those that were oftener there than not."""
        return [w for w in sorted(self.shows(s).shown) if all(w in self.shows(p).absent for p in others) and self.said_yes[w] < UNBALANCED]

    def name_among(self, s: Span, past: list[Span]) -> str | None:
        """What a question may call a span's thing and mean no other: its name, or a word for things of many names."""
        others = [p for p in past if p is not s]
        if s.label is None or self.rng.random() < self.general:
            words = self.kinds_of_it_alone(s, others)
            if words:
                word = self.pick(words)
                self.said_yes[word] += 1
                return word
        return s.label if all(p.identity != s.label for p in others) else None

    def kind_seen(self, candidates: list[Span]) -> tuple[str, list[Span]] | None:
        """A word for things of many names, and which of the spans show one."""
        words = sorted({w for p in candidates for w in self.shows(p).shown if self.said_yes[w] < UNBALANCED})
        if not words:
            return None
        word = self.pick_kind(words)
        self.said_yes[word] += 1
        return word, [p for p in candidates if word in self.shows(p).shown]

    def kind_not_seen(self, candidates: list[Span]) -> str | None:
        """A word for things of many names that none of the spans shows, of those that were oftener there than not."""
        words = sorted(frozenset.intersection(*(self.shows(p).absent for p in candidates)))
        words = [w for w in words if self.said_yes[w] > 0]
        if not words:
            return None
        word = self.pick_kind(words)
        self.said_yes[word] -= 1
        return word

    def pick_kind(self, words: list[str]) -> str:
        """People more often than other words: they are what a camera is mostly asked for."""
        people = [word for word in words if word in PEOPLE]
        return self.pick(people if people and self.rng.random() < 0.5 else words)

    def called(self, name: str, kind: str) -> str:
        """A thing's name, or sometimes another one of its set."""
        return self.pick(self.world.names.get(kind) or [name]) if self.rng.random() < MISNAMED else name

    def time_text(self, ms: int) -> str:
        s = ms // 1000
        r = self.rng.random()
        if r < 0.7 or s >= 60:  # more seconds than a minute's would have to be divided to be found on a clock
            return clock_text(ms)
        return f"{s} seconds" if r < 0.82 else f"second {s}" if r < 0.9 else f"{s}s" if r < 0.95 else f"{s} s"

    def absent(self, spans: list[Span], near: Span | None) -> str:
        shown = {s.identity for s in spans} | {s.sample.label for s in spans} | {self.world.samples[t[0]].label for s in spans for t in s.things}
        shown |= {name for label in shown for name in self.world.synonyms.get(label, [])}
        scenes = " ".join(text for s in spans for text in [*s.sample.captions, *(answer for _, answer in s.sample.qa)]).lower()
        alike = self.alike(near) if near and self.rng.random() < CONFUSED else []
        for _ in range(50):
            kind = near.sample.set if near and near.label and self.rng.random() < 0.6 else self.sets[self.rng.choice(len(self.sets), p=self.share)]
            if not self.world.names[kind]:
                continue
            name = alike.pop() if alike else self.pick(self.world.names[kind])
            words = set(name.split())
            # Of scenes not all is told: whoever wears a shirt there, nobody says so. What their sentences name is there.
            if scenes and (name in scenes or name in self.world.names.get("clothing", [])):
                continue
            if name in self.world.kind_words and not all(name in self.shows(s).absent for s in spans):
                continue
            # "apple" is not asked as absent while an "apple juice" is shown: a person might say yes.
            if name not in shown and not any(l and (words <= set(l.split()) or set(l.split()) <= words) for l in shown):
                return name
        return "nothing at all"

    def alike(self, span: Span) -> list[str]:
        """Names of its set that the projector also gives a span's picture, the strongest last; of a set of a thousand names many are the same thing."""
        w, kind = self.world, span.sample.set
        if span.label is None or kind in ("imagenet-samples", SIGNS):
            return []
        top, p = (w.mix[key][span.rows[0], WHOLE] for key in ("top", "top_p"))
        given = [w.vocab.labels[i] for i in top[np.argsort(p)]]
        return [name for name in given if (kind, name) in w.by_name]

    def question(self, task: str, spans: list[Span], frames: int, times: np.ndarray) -> Question | None:
        """One question of this kind about what the first `frames` frames show, or None where there is none to be asked."""
        asked = self.shown_question(task, spans, frames, times)
        # In the place of one that could be asked: where little can be named it would else mostly be said that a thing was not shown.
        if asked and task in OF_A_THING and self.rng.random() < ABSENT_SHARE:
            past = [s for s in spans if s.start < frames]
            name = (self.kind_not_seen(spans) if self.rng.random() < self.general else None) or self.absent(spans, self.pick(past))
            return Question(task, self.phrase(task, x=self.thing(name, True)), NOT_SHOWN, frames)
        return asked

    def shown_question(self, task: str, spans: list[Span], frames: int, times: np.ndarray) -> Question | None:
        return ASKS.get(task, StreamMaker.chat)(self, task, Moment(spans, frames, times))

    def what_is_there(self, task: str, m: Moment) -> Question | None:
        name = m.now.label or self.shows(m.now).main
        return Question(task, self.phrase(task), name, m.frames, m.here) if name else None

    def described(self, task: str, m: Moment) -> Question | None:
        now = m.now
        sentences = now.sample.learned or now.sample.captions
        text = self.phrase(task)
        if sentences:
            said = self.pick(sentences).lower().rstrip(" .")
        elif OF_PEOPLE.search(text) and now.sample.set not in SCENES:
            return None
        else:
            placed = len(now.things) == 1 and now.things[0][3] <= LARGE
            said = described_by_name(self.world, now, self.cell(now.things[0]) if placed else None)
        return Question(task, text, said, m.frames, m.here) if said else None

    def attribute(self, task: str, m: Moment) -> Question | None:
        equipment = m.now.sample.extra.get("equipment")
        if equipment:
            return Question(task, self.phrase(task), equipment, m.frames, m.here)
        if not m.now.sample.qa:
            return None
        q, a = self.pick(m.now.sample.qa)
        q = " ".join(w for w in q.replace("?", "").split() if not w.startswith("image"))
        q = q.removesuffix(" in the").removesuffix(" in this").removesuffix(" in")
        return Question(task, q, a.split(",")[0].replace("_", " "), m.frames, m.here)

    def reads(self, task: str, m: Moment) -> Question | None:
        if m.now.sample.set == SIGNS:
            return Question(task, self.phrase(task), m.now.sample.extra["says"], m.frames, m.here, cells=(WHOLE,))
        mute = m.now.sample.set in ("grocery", "clothing", "flickr") and self.rng.random() < SAYS_NOTHING
        return Question(task, self.phrase(task), NO_CHANGE, m.frames, m.here, cells=(WHOLE,)) if mute else None

    def colour(self, task: str, m: Moment) -> Question | None:
        s = self.pick(m.past) if self.rng.random() < 0.3 else m.now
        colour = self.world.colour(s.rows[0])
        # What is there now can be meant by a name that its picture does not tell.
        name = s.identity if s is m.now else s.label
        if not colour or name is None or sum(p.sample.label == s.sample.label for p in m.past) > 1 or any(self.world.colour(row) != colour for row in s.rows):
            return None
        return Question(task, self.phrase(task, x=self.thing(name, True)), colour, m.frames, m.of(s), cells=(WHOLE,))

    def ground(self, task: str, m: Moment) -> Question | None:
        if m.now.sample.set != SIGNS:
            return None
        colour = ground(self.world.views[m.now.rows[0]][1])
        return Question(task, self.phrase(task), colour, m.frames, m.here, cells=(WHOLE,))

    def where(self, task: str, m: Moment) -> Question | None:
        if not m.now.things or m.now.things[0][3] > LARGE:
            return None
        names = [self.world.samples[t[0]].label for t in m.now.things]
        t = self.pick(m.now.things)
        name = self.world.samples[t[0]].label
        if names.count(name) > 1:
            return None
        cell = self.cell(t)
        name = self.called(name, m.now.sample.set) if len(names) == 1 else name
        return Question(task, self.phrase(task, x=self.thing(name, True)), PLACES[cell], m.frames, m.here, cells=(cell,))

    def how_many(self, task: str, m: Moment) -> Question | None:
        now = m.now
        if not now.things or now.identity is None or now.things[0][3] > LARGE or self.too_small(len(now.things)):
            return None
        name = self.called(now.identity, now.sample.set)
        plural = name if name.endswith("s") else name + "s"
        # The newest frame alone: over several the things would be counted again.
        newest = [(m.frames - 1, m.frames)]
        return Question(task, self.phrase(task, xs=plural if self.rng.random() < 0.8 else name), str(len(now.things)), m.frames,
                        newest, newest, cells=tuple(self.cell(t) for t in now.things))

    def how_many_of_a_kind(self, task: str, m: Moment) -> Question | None:
        numbers = self.world.numbers(m.now.rows[0])
        if not numbers:
            return None
        # Numbers of captions are mostly ones: others are asked all the more.
        words = list(numbers)
        word = words[self.rng.choice(len(words), p=np.array(list(numbers.values())) / sum(numbers.values()))]
        if numbers[word] == 1 and self.rng.random() < 0.5:
            return None
        return Question(task, self.phrase("howmany", xs=word), str(numbers[word]), m.frames, m.here, cells=(WHOLE,))

    def seen(self, task: str, m: Moment) -> Question | None:
        candidates = [m.now] if task == "seennow" else m.past
        said, of_kind = {}, f"{task}kind"
        if task == "seenwithin":
            # Of "the last minute" the service reads that minute alone, which is all that there is then.
            covered = [n for n in SEEN_WITHIN if n * 1000 >= m.times[m.frames - 1] - m.times[0]]
            if not covered:
                return None
            said, of_kind = {"d": self.span_text(self.pick(covered[:2]))}, task
        general = self.rng.random() < self.general
        if self.rng.random() < (0.5 if general else NAMED_YES):
            # By name, not by span: what came once is asked for as often as what came often.
            known = sorted({p.label for p in candidates if p.label})
            kind = self.kind_seen(candidates) if general or not known else None
            if kind:
                return Question(of_kind, self.phrase(task, x=self.thing_of_kind(kind[0]), **said), "yes", m.frames, [r for p in kind[1] for r in m.of(p)])
            if not known:
                return None
            name = self.pick(known)
            spots = [r for p in candidates if p.label == name for r in m.of(p)]
            return Question(task, self.phrase(task, x=self.thing(name), **said), "yes", m.frames, spots)
        # Not there now: seen where it is not, rather than where it was. Of what was never there nothing tells.
        spots = m.here if task == "seennow" else []
        word = self.kind_not_seen(candidates) if general else None
        if word:
            return Question(of_kind, self.phrase(task, x=self.thing_of_kind(word), **said), "no", m.frames, spots, named=[])
        others = [s for s in m.spans if s not in candidates and s.label and s.label not in {c.identity for c in candidates}]
        near = self.pick(candidates)
        name = self.pick(others).label if others and self.rng.random() < GONE else self.absent(m.spans, near)
        return Question(task, self.phrase(task, x=self.thing(name), **said), "no", m.frames, spots, named=[])

    def choice(self, task: str, m: Moment) -> Question | None:
        """Which of two things or kinds is there now: the other one may have been there before."""
        shows = self.shows(m.now)
        if self.rng.random() < self.general and shows.shown and shows.absent:
            right = self.pick_kind(sorted(shows.shown))
            akin = sorted(shows.absent & next((family for family in FAMILIES if right in family), frozenset()))
            wrong = self.pick(akin) if akin and self.rng.random() < AKIN else self.pick_kind(sorted(shows.absent))
        elif m.now.label:
            others = [s.label for s in m.past if s.label and self.surely_another(s.label, m.now)]
            right, wrong = m.now.label, self.pick(others) if others and self.rng.random() < GONE else self.absent([m.now], m.now)
        else:
            return None
        named = [word if word in UNCOUNTED else with_article(word) for word in (right, wrong)]
        if self.rng.random() < 0.15:
            named = [right, wrong]
        x, y = named if self.rng.random() < 0.5 else named[::-1]
        return Question(task, self.phrase(task, x=x, y=y), right, m.frames, m.here)

    def which_of_kind(self, task: str, m: Moment) -> Question | None:
        """The name of the only thing of a kind that was there; of a kind that was not, that it was not."""
        s = self.pick(m.past)
        if s.label is None:
            return None
        kinds = [w for w in self.kinds_of_it_alone(s, [p for p in m.past if p is not s]) if w not in s.label.split()]
        if not kinds:
            return None
        absent = self.kind_not_seen(m.past) if self.rng.random() < ABSENT_SHARE else None
        if absent:
            return Question(task, self.phrase(task, x=absent), NOT_SHOWN, m.frames)
        kind = self.pick(kinds)
        self.said_yes[kind] += 1
        return Question(task, self.phrase(task, x=kind), s.label, m.frames, m.of(s))

    def first(self, task: str, m: Moment) -> Question | None:
        first = m.past[0]
        return Question(task, self.phrase(task), first.label, m.frames, m.of(first)) if first.label else None

    def neighbour(self, task: str, m: Moment) -> Question | None:
        pairs = list(zip(m.past, m.past[1:]))
        pairs = [(a, b) for a, b in pairs if (a if task == "before" else b).label and m.alone(b if task == "before" else a)]
        if not pairs:
            return None
        a, b = self.pick(pairs)
        known, wanted = (b, a) if task == "before" else (a, b)
        name = self.name_among(known, m.past)
        if name is None:
            return None
        # The frames after a change still see, in their window, what came before it: a chain of two short steps.
        anchor = [(b.start, min(b.start + BORDER_FRAMES, b.end, m.frames))] if task == "before" else m.of(known)
        return Question(task, self.phrase(task, x=self.thing(name, True)), wanted.label, m.frames, self.border(task, wanted, m.frames), anchor, m.of(known))

    def at(self, task: str, m: Moment) -> Question | None:
        s, frames, times = self.pick(m.past), m.frames, m.times
        inside = [f for f in range(s.start, min(s.end, frames)) if times[f] % 1000 < 500 and (f + 1 < s.end or s.end > frames)]
        if not s.label or not inside:
            return None
        second = int(times[self.pick(inside)]) // 1000 * 1000
        if s.start > 0 and times[s.start] > second:
            return None
        if self.rng.random() < NO_SUCH_TIME:
            then = int(times[frames - 1]) + int(math.exp(self.rng.uniform(math.log(3_000), math.log(3_600_000))))
            return Question(task, self.phrase(task, t=self.time_text(then)), NOT_SHOWN, frames) if then < DAY else None
        return Question(task, self.phrase(task, t=self.time_text(second)), s.label, frames,
                        [(g, g + 1) for g in inside if second <= times[g] < second + 1000])

    def when(self, task: str, m: Moment) -> Question | None:
        named = [s for s in m.past if m.alone(s)]
        s = self.pick(named) if named else None
        name = self.name_among(s, m.past) if s else None
        if name is None:
            return None
        # Told to look at the first moments of it: there, the frame's own time is the answer.
        return Question(task, self.phrase(task, x=self.thing(name, True)), clock_text(int(m.times[s.start])), m.frames, m.onset(s), named=m.of(s))

    def left(self, task: str, m: Moment) -> Question | None:
        past = m.past
        # Of what came again it is asked when it left last.
        last = [i for i, s in enumerate(past) if s.label is None or all(p.identity != s.label for p in past[i + 1 :])]
        if not last:
            return None
        i = self.pick(last)
        s = past[i]
        name = self.name_among(s, past[i:])
        there = [r for p in past if p is s or (s.label is not None and p.identity == s.label) for r in m.of(p)]
        # Where nothing was seen for a while, when it left is not known.
        if name is None or (i < len(past) - 1 and m.times[s.end] - m.times[s.end - 1] > LONGEST):
            return None
        text = self.phrase(task, x=self.thing(name, True))
        if i == len(past) - 1:
            return Question(task, text, STILL_SHOWN, m.frames, m.here)
        # What follows tells it: its first frame is the first without the thing, and has it in its window.
        gone = past[i + 1]
        return Question(task, text, clock_text(int(m.times[gone.start])), m.frames, m.onset(gone), m.of(s), there)

    def different(self, task: str, m: Moment) -> Question | None:
        past, names = m.past, {s.identity for s in m.past}
        if None in names or (len(names) < len(past) and self.rng.random() > (SHOWN_AGAIN if m.frames <= AGAIN_KNOWN else 0)) or self.too_small(len(names), max(MUCH, m.frames / FRAMES_A_THING)):
            return None
        onsets = [(s.start, s.start + 1) for i, s in enumerate(past) if all(p.identity != s.identity for p in past[:i])]
        return Question(task, self.phrase(task), str(len(names)), m.frames, onsets, onsets, cells=(WHOLE,))

    def duration(self, task: str, m: Moment) -> Question | None:
        s = self.pick(m.past)
        # As it is counted, up to the moment of the question.
        stood = float(standing(m.times[: m.frames])[s.start : min(s.end, m.frames)].sum()) / 1000
        seconds = round(stood)
        if abs(stood - seconds) > CLEARLY:
            return None
        if not m.unique(s) or seconds >= COUNTED_BELOW or self.too_small(seconds):
            return None
        text = self.phrase(task, x=self.thing(s.label, True))
        return Question(task, text, "1 second" if seconds == 1 else f"{seconds} seconds", m.frames, m.of(s), m.of(s), cells=(WHOLE,)) if seconds > 0 else None

    def changed(self, task: str, m: Moment) -> Question | None:
        if len(m.past) < 2:
            return None  # it could only be asked in vain, which would be asked too often
        if self.rng.random() < UNCHANGED_SHARE:
            return Question(task, self.phrase(task), NO_CHANGE, self.unchanged(m.past, m.frames))
        changed = m.now.label is not None and m.now.label != m.past[-2].identity
        return Question(task, self.phrase(task), m.now.label, m.frames, m.here) if changed else None

    def has_changed(self, task: str, m: Moment) -> Question | None:
        if len(m.past) < 2:
            return None  # as above
        frames, times = m.frames, m.times
        yes, since = self.rng.random() < 0.5, times[frames - 1] - times[m.now.start]
        # A yes is asked over hardly more than has passed: over a minute it is nearly always right, and whoever says so need not look.
        fitting = [n for n in CHANGED_WITHIN if (since < n * 1000 <= max(HARDLY_MORE * since, HARDLY_MORE_MS) if yes else since > n * 1000)]
        if not yes and (not fitting or self.rng.random() < FIRST_STILL_SHARE):
            frames, fitting = self.unchanged(m.past, frames), CHANGED_WITHIN
        if not fitting:
            return None
        seconds = self.pick(fitting)
        text = self.phrase(task, d=self.span_text(seconds))
        within = [s for s in m.past[1:] if times[frames - 1] - times[s.start] <= seconds * 1000] if yes else []
        began = [(s.start, s.start + 1) for s in within]  # where something else is to be seen than before: that is what is counted
        return Question(task, text, "yes" if yes else "no", frames, [r for s in within for r in m.onset(s)], named=began)

    def repetitions(self, task: str, m: Moment) -> Question | None:
        repeated = [s for s in m.past if s.period > 0 and min(s.end, m.frames) - s.start >= s.period]
        if not repeated or m.times_shown[repeated[-1].identity] > 1:
            return None
        s = repeated[-1]
        # Where a pose begins, whichever of the two: a movement is seen where it happens, its number is half as large.
        begins = [(f, f + 1) for f in range(s.start, min(s.end, m.frames), s.period // 2)]
        count = len(begins) // 2
        if len(begins) % 2 or self.too_small(count):  # half a movement is neither
            return None
        x = self.thing(self.called(s.identity, s.sample.set), True) if self.rng.random() < 0.7 else self.pick(["the exercise", "the movement", "it"])
        return Question(task, self.phrase(task, x=x), str(count), m.frames, begins, begins, cells=(WHOLE,))

    def chat(self, _task: str, m: Moment) -> Question:
        asked, answer = self.pick(CHAT)
        return Question("chat", self.pick(asked), answer, m.frames)

    def times_shown(self, task: str, m: Moment) -> Question | None:
        """How many times a thing came, by its name or by a word for things of many names: where of all others it is known that they are none."""
        past, general = m.past, self.rng.random() < self.general
        words = sorted({w for s in past for w in self.shows(s).shown} if general else {s.label for s in past if s.label})
        if not words:
            return None
        name = self.pick_kind(words) if general else self.pick(words)
        shown = [s for s in past if (name in self.shows(s).shown if general else s.label == name)]
        others = [s for s in past if all(s is not one for one in shown)]
        if not all(name in self.shows(s).absent if general else self.surely_another(name, s) for s in others):
            return None
        if len(shown) > MOST_TIMES or self.too_small(len(shown), OFTEN_CAME):
            return None
        if self.rng.random() < NEVER_CAME:
            none = sorted(frozenset.intersection(*(self.shows(s).absent for s in past))) if general else []
            name, shown, general = (self.pick_kind(none), [], True) if none else (self.absent(m.spans, m.now), [], False)
        plural = name if name.endswith("s") else COUNTED.get(name, name + "s")
        thing = self.thing_of_kind(name) if general else self.thing(name)
        onsets = [(s.start, s.start + 1) for s in shown]
        return Question(task, self.phrase(task, x=thing, xs=plural), str(len(shown)), m.frames, onsets, onsets, cells=(WHOLE,))

    def surely_another(self, name: str, s: Span) -> bool:
        """That a span is not of this name, nor anything that might be called so."""
        if name in self.world.kind_words or s.identity is None:
            return name in self.shows(s).absent
        words, others = set(name.split()), set(s.identity.split())
        return name != s.identity and not words <= others and not others <= words

    def ago(self, task: str, m: Moment) -> Question | None:
        """What was shown so long before the question: as the service asks it, by the time of the clock, where the stream had begun by then."""
        frames, times = m.frames, m.times
        moment = int(times[frames - 1])
        s = self.pick(m.past)
        end = min(s.end, frames)
        seconds, _ = self.time_back((moment - int(times[int(self.rng.integers(s.start, end))])) / 1000)
        then, about = moment - 1000 * seconds, max(400, ABOUT * 1000 * seconds)
        left = times[s.end] if s.end < frames else moment + about
        # Of a second in which one thing followed another, `at` asks for the first.
        began = s.start == 0 or times[s.start] <= min(then - about, then // 1000 * 1000)
        if s.label is None or seconds == 0 or not began or times[s.start] > then or left < then + about or left - times[end - 1] > LONGEST:
            return None
        if self.rng.random() < NO_SUCH_TIME and int(times[0]) == 0:
            _, words = self.time_back(moment / 1000 * self.rng.uniform(1.3, 4) + 2)
            return Question(task, self.phrase(task, a=words), NOT_SHOWN, frames)
        at = max(s.start, int(np.searchsorted(times[:frames], then, "right")) - 1)
        return Question(task, self.phrase(task, a=f"at {clock_text(then)}"), s.label, frames, [(max(s.start, at - 1), min(end, at + 2))])

    def time_back(self, seconds: float) -> tuple[int, str]:
        """About so long ago: the seconds that people would say, and how."""
        if seconds < 90:
            n = max(1, round(seconds))
            n = 5 * round(n / 5) if n > 20 and self.rng.random() < 0.5 else n
            if n == 60 and self.rng.random() < 0.6:
                return 60, self.pick(["a minute ago", "one minute ago", "1 minute ago"])
            return n, self.pick(["a second ago", "1 second ago"]) if n == 1 else self.pick([f"{n} seconds ago", f"{n} seconds ago", f"{n} seconds ago", f"{n}s ago", f"{n} sec ago", f"{n} seconds earlier"])
        if seconds < 3600 * 1.5:
            n = max(1, round(seconds / 60))
            if n == 60 and self.rng.random() < 0.6:
                return 3600, self.pick(["an hour ago", "one hour ago"])
            return 60 * n, self.pick(["a minute ago", "1 minute ago"]) if n == 1 else self.pick([f"{n} minutes ago", f"{n} minutes ago", f"{n} min ago"])
        n = round(seconds / 3600)
        return 3600 * n, f"{n} hours ago"

    def span_text(self, seconds: int) -> str:
        if seconds == 3600:
            return "hour"
        if seconds % 60 == 0 and self.rng.random() < 0.8:
            return "minute" if seconds == 60 else f"{seconds // 60} minutes"
        return f"{seconds} seconds"

    def after_others(self, q: Question, asked: list[Question], length: int) -> Question:
        """The same question after one or two others of the stream, where they fit: who asks many things in a row means each by itself."""
        if q.earlier or self.rng.random() > AFTER_OTHERS:
            return q
        room = length - self.size(q)
        earlier: list[tuple[str, str, int]] = []
        before = [o for o in asked if o.frames <= q.frames and not o.earlier]
        for _ in range(int(self.rng.integers(1, 2, endpoint=True))):
            fitting = [o for o in before if self.size(o) <= room]
            if not fitting:
                break
            o = self.pick(fitting)
            wrong = o.task in ("now", "first", "last", "at", "ago", "before", "after") and self.rng.random() < WRONG_BEFORE
            answer = self.pick(self.world.all_names) if wrong else o.answer
            if wrong and len(self.encode(answer)) > len(self.encode(o.answer)):
                answer = o.answer
            room -= self.size(o)
            earlier.append((o.text, answer, o.frames))
        return replace(q, earlier=sorted(earlier, key=lambda turn: turn[2]))

    def size(self, q: Question) -> int:
        """Tokens of a segment."""
        return sum(len(self.encode(text)) + 2 for turn in [*q.earlier, (q.text, q.answer)] for text in turn[:2])

    def too_small(self, number: int, much: float = MUCH) -> bool:
        """Left out, so that each number up to `much` is asked for about as often: ones and twos come of themselves, and teach no more."""
        return self.rng.random() > number / much

    def unchanged(self, past: list[Span], frames: int) -> int:
        """Frames before a moment at which nothing has changed since the stream began."""
        return int(self.rng.integers(1, min(past[0].end, frames), endpoint=True))

    @staticmethod
    def cell(thing) -> int:
        """Of a 3 x 3 grid, row by row."""
        return min(2, int(thing[2] * 3)) * 3 + min(2, int(thing[1] * 3))

    @staticmethod
    def border(task: str, wanted: Span, frames: int) -> list[tuple[int, int]]:
        """The frames of `wanted` beside the thing that was named: its last ones before it, its first ones after it."""
        end = min(wanted.end, frames)
        return [(max(wanted.start, end - BORDER_FRAMES), end)] if task == "before" else [(wanted.start, min(end, wanted.start + BORDER_FRAMES))]

    def several(self, task: str, group: list[list[Span]], frames: int, times: np.ndarray) -> Question | None:
        """A question over streams that share one clock; frames of its evidence are numbered stream after stream."""
        length = len(times)
        past = [[s for s in spans if s.start < frames] for spans in group]
        now = [spans[-1] for spans in past]
        i = int(self.rng.integers(len(group)))
        moved = lambda ranges, at: [(a + at * length, z + at * length) for a, z in ranges]
        if task == "oncamera":
            here = moved([(now[i].start, frames)], i)
            return Question(task, self.phrase(task, n=str(i + 1)), now[i].label, frames, here) if now[i].label else None
        if task == "which":
            if now[i].label is None or sum(s.identity == now[i].label for s in now) > 1:
                return None
            return Question(task, self.phrase(task, x=self.thing(now[i].label, True)), f"camera {i + 1}", frames, moved([(now[i].start, frames)], i))
        s = self.pick(past[i])
        owners = [j for j, spans in enumerate(past) if any(p.identity == s.identity for p in spans)]
        if task == "whichever":
            if s.label is None or len(owners) > 1:
                return None
            return Question(task, self.phrase(task, x=self.thing(s.label, True)), f"camera {i + 1}", frames, moved([(s.start, min(s.end, frames))], i))
        if task == "when":
            if s.label is None or len(owners) > 1 or sum(p.identity == s.label for p in past[i]) > 1:
                return None
            onset = moved([(s.start, min(s.start + ONSET_FRAMES, s.end, frames))], i)
            shown = moved([(s.start, min(s.end, frames))], i)
            return Question(task, self.phrase(task, x=self.thing(s.label, True)), clock_text(int(times[s.start])), frames, onset, named=shown)
        everything = [s for spans in group for s in spans]
        if self.rng.random() < 0.5:
            name = self.absent(everything, now[i])
            return Question(task, self.phrase(task, x=self.thing(name)), "no", frames)
        if s.label is None:
            return None
        spots = [r for j in owners for p in past[j] if p.label == s.label for r in moved([(p.start, min(p.end, frames))], j)]
        return Question(task, self.phrase(task, x=self.thing(s.label)), "yes", frames, spots)

    def follow_up(self, q: Question, spans: list[Span], times: np.ndarray) -> Question | None:
        """A second turn whose "it" is the answer of the first."""
        past = [s for s in spans if s.start < q.frames]
        match = [i for i, s in enumerate(past) if s.label == q.answer]
        if q.task not in ("now", "first", "last", "at", "before", "after") or len(match) != 1:
            return None
        i = match[0]
        task = self.pick(list(FOLLOW_UPS))
        text = self.pick(FOLLOW_UPS[task])
        if task == "when":
            answer, wanted = clock_text(int(times[past[i].start])), past[i]
            evidence = [(wanted.start, min(wanted.start + ONSET_FRAMES, wanted.end, q.frames))]
        else:
            j = i - 1 if task == "before" else i + 1
            if not 0 <= j < len(past) or past[j].label is None:
                return None
            answer, wanted = past[j].label, past[j]
            evidence = self.border(task, wanted, q.frames)
        named = [(past[i].start, min(past[i].end, q.frames))]
        return Question(task, text, answer, q.frames, evidence, named=named, earlier=[(q.text, q.answer, q.frames)])

    # --- batches ----------------------------------------------------------------------------------------------

    def clock(self, frames: int) -> np.ndarray:
        """Times of a stream's frames in ms: from zero, or from any moment of a day, which is what the time's digits know; regular, or with jitter."""
        interval = 500 if self.rng.random() < USUAL_RATE else int(self.rng.choice(INTERVALS))
        r = self.rng.random()
        begin = int(self.rng.integers(0, 0 if r < 0.6 else 600_000 if r < 0.82 else 36_000_000 if r < 0.95 else DAY - frames * interval, endpoint=True))
        times = begin + np.arange(frames) * interval
        if r < 0.3:
            times = times + np.sort(self.rng.integers(0, interval // 2, frames)) * (np.arange(frames) > 0)
        return times

    def begin(self, frames: int) -> int:
        """The frame at which the reading of a stream begins."""
        return int(self.rng.integers(1, max(2, 4 * frames // 5))) if self.part and frames >= 4 and self.rng.random() < self.part else 0

    def batch_of_one(self, frames: int, parts: int, questions: int, tasks: dict[str, float] | None = None, distinct: bool = False, hay: bool = False) -> Batch:
        """Questions on one long stream, which the self-decoder sees in parts: minutes of memory at the price of short streams.

        `distinct`: nothing comes twice; `hay`: most of it comes again and again, and stands for up to a day of it.
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
            # A stream may have nothing that some tasks could be asked of.
            tasks = LONG_TASKS if tasks is None or tries > questions * 40 else tasks
            names, p = list(tasks), np.array(list(tasks.values()), float)
            upto = frames - begin if self.rng.random() < 0.3 else int(self.rng.integers(1, frames - begin + 1))
            q = self.question(names[self.rng.choice(len(p), p=p / p.sum())], shown, upto, shown_at)
            if q and self.size(q) <= SHORT[0] and len(self.encode(q.answer)) < BRIEF:
                asked.append(self.after_others(q, asked, SHORT[0]))
        batch = Batch(self, [(spans, times, [later(q, begin) for q in asked])], parts=parts, of=of, begins=[begin])
        if hay or again != AGAIN and of == 1 and not distinct and self.rng.random() < COPIED:
            most = COPIED_UP_TO / (frames * VECTORS)
            batch.copy_hay(float(math.exp(self.rng.uniform(0, math.log(most)))))
        return batch

    def with_gaps(self, times: np.ndarray, spans: list[Span]) -> np.ndarray:
        """Seconds to hours are missing between the spans: a short stream then asks for every digit of a time."""
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
                q = self.several(list(tasks)[self.rng.choice(len(p), p=p / p.sum())], group, upto, times)
                if q and self.size(q) <= SHORT[0]:
                    mine.append(self.after_others(q, mine, SHORT[0]))
            asked.append(mine)
        return Batch(self, made, asked)

    def batch(self, streams: int, frames: int, questions: int, tasks: dict[str, float] | None = None, long: bool | None = None, again: float = AGAIN) -> Batch:
        """`long`: whether segments may be, which only then may describe; by default sometimes. `again`: share of the spans that show what was shown before."""
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
                q = self.question(task, shown, upto, shown_at)
                if q is None:
                    continue
                if long and self.rng.random() < 0.5:
                    q = self.follow_up(q, shown, shown_at) or q
                if self.size(q) <= length and (len(self.encode(q.answer)) < longest or q.task == "describe"):
                    asked.append(self.after_others(q, asked, length))
            made.append((spans, times, [later(q, begin) for q in asked]))
            begins.append(begin)
        return Batch(self, made, begins=begins)


# What asks each task; all others are talk.
ASKS = {
    "now": StreamMaker.what_is_there, "last": StreamMaker.what_is_there, "describe": StreamMaker.described, "attribute": StreamMaker.attribute,
    "reads": StreamMaker.reads, "ground": StreamMaker.ground, "colour": StreamMaker.colour, "where": StreamMaker.where,
    "howmany": StreamMaker.how_many, "howmanyseen": StreamMaker.how_many_of_a_kind,
    "seen": StreamMaker.seen, "seennow": StreamMaker.seen, "seenwithin": StreamMaker.seen,
    "choice": StreamMaker.choice, "whichof": StreamMaker.which_of_kind, "first": StreamMaker.first, "before": StreamMaker.neighbour, "after": StreamMaker.neighbour,
    "at": StreamMaker.at, "ago": StreamMaker.ago, "when": StreamMaker.when, "left": StreamMaker.left,
    "different": StreamMaker.different, "duration": StreamMaker.duration, "times": StreamMaker.times_shown,
    "changed": StreamMaker.changed, "haschanged": StreamMaker.has_changed, "repetitions": StreamMaker.repetitions,
}
