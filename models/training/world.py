"""What streams can show: the views of one split of the data, and what may be asked about each."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from kinds import Kinds, group_of, kinds_of, numbers_of
from labels import NOT_SPLIT
from projector import Vocabulary
from signs import SET as SIGNS
from signs import read_all, sign_name
from spans import WHOLE
from text import encode, word_embeddings
from views import BOARD, BOARDS_KEPT, PAINTED, colour_of_view

# Names of ImageNet's classes other than the first, keyed by WordNet id; from WordNet 3.0, without Latin names and those
# that alone mean something else.
SYNONYMS = Path(__file__).parent / "synonyms.json"
# What people call a class, keyed by its first name, where neither that name nor WordNet has it.
EVERYDAY = Path(__file__).parent / "everyday.json"


class World:
    """The views of one split, and what may be asked about them."""

    def __init__(self, data: str, work: str, validation: bool):
        root = Path(work)
        self.samples = read_all(data)
        self.views = json.loads((root / "views.json").read_text())
        for sample, sentences in json.loads((root / "sentences.json").read_text()).items():
            self.samples[int(sample)].learned = sentences
        self.vocab = Vocabulary(self.samples)
        self.validation = validation
        self.mix = {k: np.load(root / f"{k}.npy", mmap_mode=None if not validation else "r") for k in ("label_mix", "word_mix", "top", "top_p", "detail", "marks")}
        self.by_set: dict[str, list[int]] = {}
        drawn: dict[str, list[int]] = {"boards": [], "painted": [], SIGNS: []}  # not split by picture
        for row, (sample, number, things) in enumerate(self.views):
            s = self.samples[sample]
            if not self.mix["top_p"][row, -1].any():
                continue  # of a fold that stage 0 has not finished
            if number >= BOARD or s.set == SIGNS:
                if (row % BOARDS_KEPT == 0) == validation:
                    # Signs have view numbers in this range too.
                    drawn[SIGNS if s.set == SIGNS else "painted" if number >= PAINTED else "boards"].append(row)
            elif s.validation == validation or (validation and s.set in NOT_SPLIT):
                self.by_set.setdefault(s.set, []).append(row)
        self.by_set |= drawn
        self.names = {k: sorted({self.row_label(r) for r in rows} - {None}) for k, rows in self.by_set.items()}
        self.by_name: dict[tuple[str, str], list[int]] = {}
        for k, rows in self.by_set.items():
            for r in rows:
                label = self.row_label(r)
                if label:
                    self.by_name.setdefault((k, label), []).append(r)
        self.all_names = sorted({n for v in self.names.values() for n in v})
        classes = sorted(s.extra["wnid"] for s in self.samples if s.set == "imagenet-samples")
        numbers = {wnid: i for i, wnid in enumerate(classes)}
        groups = {group_of(s) for s in self.samples if "group" in s.extra}
        self._numbers = [{"people": 1} if s.set == "exercises" else numbers_of(s) for s in self.samples]
        self._kinds = [kinds_of(s, numbers.get(s.extra.get("wnid")), groups) for s in self.samples]
        self.colours = {int(sample): colour for sample, colour in json.loads((root / "colours.json").read_text()).items()}
        self.kind_words = frozenset().union(*(k.shown for k in self._kinds))
        self.synonyms = self.other_names()

    def other_names(self) -> dict[str, list[str]]:
        """The other names of each name that has some. Those that people say are listed three times, since they are more
        frequent."""
        synonyms, everyday = (json.loads(path.read_text()) for path in (SYNONYMS, EVERYDAY))
        known = self.kind_words | set(self.vocab.labels)  # each of these has a meaning of its own
        own = lambda names: [name for name in names if name not in known]
        said = {s.label: 3 * own(everyday.get(s.label, [])) + own(synonyms.get(s.extra["wnid"], [])) for s in self.samples if "wnid" in s.extra}
        return {label: names for label, names in said.items() if names}

    def kinds_of_names(self) -> torch.Tensor:
        """For each name the sum of its kinds' word embeddings, `[labels, words_width]`: of the kinds that every picture
        of it shows and the name itself does not say."""
        embeddings, of_name = word_embeddings(), {}
        for sample, kinds in zip(self.samples, self._kinds):
            if sample.label in self.vocab.index and (kinds.shown or kinds.absent):
                of_name[sample.label] = of_name.get(sample.label, kinds.shown) & kinds.shown
        table = torch.zeros(len(self.vocab.labels), embeddings.shape[1])
        for name, kinds in of_name.items():
            for kind in kinds - set(name.split()):
                table[self.vocab.index[name]] += torch.tensor(embeddings[encode(kind)].mean(0))
        return table

    def kinds(self, row: int) -> Kinds:
        sample, _, things = self.views[row]
        return Kinds() if things else self._kinds[sample]

    def numbers(self, row: int) -> dict[str, int]:
        """How many of whom a scene shows, where known, keyed by the plural word. An exercise is done by one person."""
        return self._numbers[self.views[row][0]]

    def colour(self, row: int) -> str | None:
        return colour_of_view(self.views[row], self.colours)

    def name_is_visible(self, row: int) -> bool:
        """Whether the token of the whole picture holds its name: otherwise nobody could read it. What signs say is in
        their marks."""
        if self.samples[self.views[row][0]].set == SIGNS:
            return True
        return self.vocab.index.get(self.row_label(row), -1) in self.mix["top"][row, WHOLE]

    def has(self, sets: Iterable[str]) -> bool:
        """Whether there are views of any of these sets: the data may lack some."""
        return any(self.by_set.get(name) for name in sets)

    def row_label(self, row: int) -> str | None:
        sample, _, things = self.views[row]
        if things and len({self.samples[t[0]].label for t in things}) > 1:
            return None
        s = self.samples[sample]
        return sign_name(s) if s.set == SIGNS else s.label
