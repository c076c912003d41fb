"""Sentences to learn from: of the captions of a picture and of those most like it, the ones that people agree on.

With only a few hundred pictures a model learns each caption by heart, and repeats its details for other pictures. What
the captions of similar pictures have in common also holds for unseen ones (Devlin et al. 2015, "Exploring Nearest
Neighbor Approaches for Image Captioning", arXiv:1505.04467). Here such captions are what is taught, not what is
answered.

python consensus.py --data DIR --work DIR   # -> WORK/sentences.json: for each picture with captions, the best of them
"""

import argparse
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np

from signs import read_all
from text import encode

NEIGHBOURS = 60
# A neighbour's weight falls to 1/e of the nearest one's when its cosine is this much lower.
REACH = 0.3
# Weight of the picture's own captions, relative to the nearest neighbour's.
OWN = 1.0
KEPT = 1  # sentences of each picture
LONGEST = 15  # tokens: as many as training has room for
MOST = 3  # how often one word counts within a caption


def words_of(sentence: str) -> Counter[str]:
    return Counter(re.sub(r"[^\w\s'-]", " ", sentence.lower()).split())


class Captions:
    """All captions of some pictures, and the F1 of the words of any two."""

    def __init__(self, captions: list[list[str]]):
        self.text = [text.lower().rstrip(" .") for of in captions for text in of]
        self.picture = np.repeat(np.arange(len(captions)), [len(of) for of in captions])
        self.short = np.array([len(encode(text)) <= LONGEST for text in self.text])
        bags = [words_of(text) for text in self.text]
        place = {word: i for i, word in enumerate(sorted(set().union(*bags)))}
        self.counts = np.zeros((len(bags), len(place)), np.uint8)
        for row, bag in zip(self.counts, bags):
            for word, count in bag.items():
                row[place[word]] = min(count, MOST)
        self.length = self.counts.sum(1).astype(np.float32)

    def likeness(self, rows: np.ndarray) -> np.ndarray:
        """F1 between the words of each pair of these captions `[n, n]`."""
        counts = self.counts[rows]
        common = sum((counts >= n).astype(np.float32) @ (counts >= n).astype(np.float32).T for n in range(1, MOST + 1))
        return 2 * common / (self.length[rows, None] + self.length[rows])

    def agreed(self, weights: dict[int, float]) -> list[str]:
        """The KEPT captions of these pictures that agree best with the others: the best F1 with each picture, as a
        weighted sum over pictures."""
        rows = np.flatnonzero(np.isin(self.picture, list(weights)))
        likeness = self.likeness(rows)
        np.fill_diagonal(likeness, 0)  # a caption must be like another one of its own picture, not like itself
        scores = sum(weight * likeness[:, self.picture[rows] == picture].max(1) for picture, weight in weights.items())
        scores = np.where(self.short[rows], scores, -1)
        return list(dict.fromkeys(self.text[rows[i]] for i in np.argsort(-scores)[: 2 * KEPT]))[:KEPT]


def directions(features: np.ndarray) -> np.ndarray:
    """Features of whole pictures `[n, FEATURES]` -> standardised, of unit length."""
    z = (features - features.mean(0)) / (features.std(0) + 1e-5)
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def sentences(features: np.ndarray, captions: list[list[str]]) -> list[list[str]]:
    """The sentences to learn for each picture. features `[n, FEATURES]`: of the whole pictures."""
    known, z = Captions(captions), directions(features)
    out = []
    for i, likeness in enumerate(z @ z.T):
        likeness[i] = -np.inf
        nearest = np.argsort(-likeness)[: min(NEIGHBOURS, len(captions) - 1)]
        weights = {int(j): float(np.exp((likeness[j] - likeness[nearest[0]]) / REACH)) for j in nearest}
        out.append(known.agreed({**weights, i: OWN}))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    args = parser.parse_args()
    work, samples = Path(args.work), read_all(args.data)
    rows: dict[int, list[int]] = {}
    for row, (sample, _, things) in enumerate(json.loads((work / "views.json").read_text())):
        s = samples[sample]
        if s.captions and not s.validation and not things:
            rows.setdefault(sample, []).append(row)
    if not rows:  # no set has captions
        (work / "sentences.json").write_text("{}")
        return
    vectors = np.load(work / "features.npy", mmap_mode="r")
    looks = np.stack([vectors[of, -1].astype(np.float32).mean(0) for of in rows.values()])
    learned = sentences(looks, [samples[sample].captions for sample in rows])
    (work / "sentences.json").write_text(json.dumps(dict(zip(rows, learned))))


if __name__ == "__main__":
    main()
