"""The asker: makes the random choices of questions, and the words they use for things. A name may only be used if it
means no other thing that was shown."""

from collections import Counter

import numpy as np

from descriptions import with_article
from kinds import ALSO_CALLED, PEOPLE, UNCOUNTED, Kinds
from phrasings import HELD_OUT, PHRASINGS
from signs import SET as SIGNS
from spans import WHOLE, Question, Span, clock_text
from text import encode
from world import World

NEGATIVE_SHARE = 0.2  # share of the questions about a thing that name one which was never shown
# Of the questions about a thing that is not there, the share about one that the stream shows at another time.
GONE_NEGATIVE_SHARE = 0.5
# Of the questions about a thing that is not there, the share about one that the projector takes a shown picture for.
HARD_NEGATIVE_SHARE = 0.35
SYNONYM = 0.4  # share of the things with other names that are called by one of them
# Share of the things that are called by a word for things of many names, where it says which one is meant; and the same
# in steps of "kinds".
GENERAL, GENERAL_OF_KINDS = 0.35, 0.75
UNBALANCED = 4  # limit on how many more times such a word may have been answered with yes than with no
MUCH = 8
# Share of the questions where, how many and how often about the only thing there that call it by another name: a thing
# whose name was never trained has a place and a number too.
MISNAMED = 0.12
BEFORE_IT = ["please, ", "hey, ", "so ", "ok, ", "and ", "now, ", "tell me, ", "please tell me: ", "one question: ", "well, ", "i want to know: ", "do you know, ", "sorry, ", "hi, "]
AFTER_IT = [" please", ", please?", "??", " ?", " then?", ", do you know?", " thanks"]


class Asker:
    """`sets` and `share`: what streams show, and how often; `general` and `absent_share` as in `StreamMaker`."""

    def __init__(self, world: World, rng: np.random.Generator, held_out: bool, sets: list[str], share: np.ndarray, general: float, absent_share: float):
        self.world, self.rng, self.held_out, self.general, self.absent_share = world, rng, held_out, general, absent_share
        self.sets, self.share = sets, share
        self._ids: dict[str, list[int]] = {}
        # How many more times each word for things of many names was answered with yes than with no: the word alone must
        # not give the answer away.
        self.said_yes: Counter[str] = Counter()

    def encode(self, text: str) -> list[int]:
        if text not in self._ids:
            if len(self._ids) > 200_000:
                self._ids.clear()
            self._ids[text] = encode(text)
        return self._ids[text]

    def pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    def phrase(self, task: str, **words: str) -> str:
        forms = PHRASINGS[task]
        text = self.pick(forms[-HELD_OUT:] if self.held_out else forms[:-HELD_OUT]).format(**words)
        r = self.rng.random()
        if self.held_out or r < 0.45:
            return text
        if r < 0.7:
            return text.rstrip("?")
        # A typing error: two neighbours swapped, or one lost; changing a digit would change the question.
        if r < 0.78 and len(text) > 8:
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
        """Words for things of many names that fit this span and none of the others, unless their yes answers already
        prevail."""
        return [w for w in sorted(self.shows(s).shown) if all(w in self.shows(p).absent for p in others) and self.said_yes[w] < UNBALANCED]

    def name_among(self, s: Span, past: list[Span]) -> str | None:
        """What a question may call a span's thing so that no other is meant: its name, or a word for things of many
        names."""
        others = [p for p in past if p is not s]
        if s.label is None or self.rng.random() < self.general:
            words = self.kinds_of_it_alone(s, others)
            if words:
                word = self.pick(words)
                self.said_yes[word] += 1
                return word
        return s.label if all(p.identity != s.label for p in others) else None

    def kind_seen(self, candidates: list[Span]) -> tuple[str, list[Span]] | None:
        """A word for things of many names, and the spans that show one."""
        words = sorted({w for p in candidates for w in self.shows(p).shown if self.said_yes[w] < UNBALANCED})
        if not words:
            return None
        word = self.pick_kind(words)
        self.said_yes[word] += 1
        return word, [p for p in candidates if word in self.shows(p).shown]

    def kind_not_seen(self, candidates: list[Span]) -> str | None:
        """A word for things of many names that no span shows, of those with more yes than no answers so far."""
        words = sorted(frozenset.intersection(*(self.shows(p).absent for p in candidates)))
        words = [w for w in words if self.said_yes[w] > 0]
        if not words:
            return None
        word = self.pick_kind(words)
        self.said_yes[word] -= 1
        return word

    def pick_kind(self, words: list[str]) -> str:
        """Picks people more often than other words: they are what cameras are mostly asked about."""
        people = [word for word in words if word in PEOPLE]
        return self.pick(people if people and self.rng.random() < 0.5 else words)

    def called(self, name: str, kind: str) -> str:
        """A thing's name, or sometimes another name of its set."""
        return self.pick(self.world.names.get(kind) or [name]) if self.rng.random() < MISNAMED else name

    def absent(self, spans: list[Span], near: Span | None) -> str:
        shown = {s.identity for s in spans} | {s.sample.label for s in spans} | {self.world.samples[t[0]].label for s in spans for t in s.things}
        shown |= {name for label in shown for name in self.world.synonyms.get(label, [])}
        scenes = " ".join(text for s in spans for text in [*s.sample.captions, *(answer for _, answer in s.sample.qa)]).lower()
        alike = self.alike(near) if near and self.rng.random() < HARD_NEGATIVE_SHARE else []
        for _ in range(50):
            kind = near.sample.set if near and near.label and self.rng.random() < 0.6 else self.sets[self.rng.choice(len(self.sets), p=self.share)]
            if not self.world.names[kind]:
                continue
            name = alike.pop() if alike else self.pick(self.world.names[kind])
            words = set(name.split())
            # Scenes are not described completely: nobody mentions that someone wears a shirt. What their sentences name
            # is there.
            if scenes and (name in scenes or name in self.world.names.get("clothing", [])):
                continue
            if name in self.world.kind_words and not all(name in self.shows(s).absent for s in spans):
                continue
            # "apple" is not asked for as absent while "apple juice" is shown: a person might say yes.
            if name not in shown and not any(l and (words <= set(l.split()) or set(l.split()) <= words) for l in shown):
                return name
        return "nothing at all"

    def alike(self, span: Span) -> list[str]:
        """Names of the span's set that the projector also gives its picture, the strongest last. None for ImageNet,
        where many of the thousand names mean the same thing, nor for signs."""
        w, kind = self.world, span.sample.set
        if span.label is None or kind in ("imagenet-samples", SIGNS):
            return []
        top, p = (w.mix[key][span.rows[0], WHOLE] for key in ("top", "top_p"))
        given = [w.vocab.labels[i] for i in top[np.argsort(p)]]
        return [name for name in given if (kind, name) in w.by_name]

    def surely_another(self, name: str, s: Span) -> bool:
        """Whether a span is certainly not of this name, nor of anything that might be called so."""
        if name in self.world.kind_words or s.identity is None:
            return name in self.shows(s).absent
        words, others = set(name.split()), set(s.identity.split())
        return name != s.identity and not words <= others and not others <= words

    def time_text(self, ms: int) -> str:
        s = ms // 1000
        r = self.rng.random()
        if r < 0.7 or s >= 60:  # 60 seconds and more would have to be divided to be found on a clock
            return clock_text(ms)
        return f"{s} seconds" if r < 0.82 else f"second {s}" if r < 0.9 else f"{s}s" if r < 0.95 else f"{s} s"

    def time_back(self, seconds: float) -> tuple[int, str]:
        """A time about so long ago: the seconds that people would say, and their words."""
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

    def size(self, q: Question) -> int:
        """Tokens of the question's segment."""
        return sum(len(self.encode(text)) + 2 for turn in [*q.earlier, (q.text, q.answer)] for text in turn[:2])

    def too_small(self, number: int, much: float = MUCH) -> bool:
        """Whether to drop a question with this answer, so that all numbers up to `much` are about equally frequent:
        ones and twos come by themselves, and teach no more."""
        return self.rng.random() > number / much
