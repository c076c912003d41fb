"""Labelled images on disk -> one list of samples with normalised labels and a fixed split.

Format: `DATA/<set>/labels.jsonl`, one JSON object a line with `image` and the labels of that set.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

SETS = ["grocery", "clothing", "imagenet-samples", "emoji", "stamps", "exercises", "flickr", "daquar"]
SPRITES = {"emoji", "stamps"}  # RGBA cut-outs, one image a name: pasted on other pictures
SCENES = {"flickr", "daquar", "exercises"}  # pictures of many things, none of which is the thing that the picture shows
NAMELESS = {"flickr", "daquar"}  # have captions, or questions with answers; pictures of all other sets have names
# Sets with one picture a name: if it were held out, the name would be unknown.
NOT_SPLIT = SPRITES | {"imagenet-samples", "exercises"}
FOLDS = 5
VALIDATION_PERCENT = 10


# The classes of the frozen classifier (backbone.py).
IMAGENET_CLASSES = 1000


class DataError(SystemExit):
    """A data folder that cannot be trained on. The program ends with the message, which names the file and the line."""


@dataclass
class Sample:
    set: str
    path: str
    label: str | None  # what a person would answer to "What is shown now?", or None for scenes
    captions: list[str] = field(default_factory=list)
    qa: list[tuple[str, str]] = field(default_factory=list)
    extra: dict = field(default_factory=dict)
    # The captions, of this picture or of similar ones, that consensus.py chose to teach.
    learned: list[str] = field(default_factory=list)

    @property
    def hash(self) -> int:
        name = f"{self.set}/{Path(self.path).name}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")

    @property
    def validation(self) -> bool:
        """Whether the sample is held out of all training."""
        return self.set not in NOT_SPLIT and self.hash % 100 < VALIDATION_PERCENT

    @property
    def fold(self) -> int:
        """To be taken modulo the number of folds."""
        return self.hash // 100


def normalise(label: str) -> str:
    """`Arla-Natural-Yoghurt` -> `arla natural yoghurt`; no article, no bracket, no final stop."""
    text = re.sub(r"\([^)]*\)", " ", label.replace("_", " "))
    if "t-shirt" not in text.lower():
        text = text.replace("-", " ")
    text = re.sub(r"\s+", " ", text).strip().strip(".!").strip().lower()
    return re.sub(r"^(a|an|the|some)\s+", "", text)


def _read_line(set_name: str, folder: Path, number: int, line: str) -> Sample:
    where = f"{folder / 'labels.jsonl'} line {number}"
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error})") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object")
    image = row.get("image")
    if not isinstance(image, str) or not (folder / image).is_file():
        raise DataError(f"{where}: image {image!r} is missing")
    raw = next((row[k] for k in ("class", "name", "caption", "exercise") if k in row), None)
    label = normalise(raw) if isinstance(raw, str) else None
    captions, asked = row.get("captions", []), row.get("qa", [])
    if not isinstance(captions, list):
        raise DataError(f"{where}: captions: expected a list of texts")
    if not isinstance(asked, list) or not all(isinstance(q, dict) and isinstance(q.get("q"), str) and isinstance(q.get("a"), str) for q in asked):
        raise DataError(f"{where}: qa: expected a list of {{q, a}}, both texts")
    if set_name == "imagenet-samples" and not (isinstance(row.get("wnid"), str) and row["wnid"]):
        raise DataError(f"{where}: wnid is missing, by which the class is known")
    qa = [(q["q"], q["a"]) for q in asked]
    told = [*captions, *(text for pair in qa for text in pair)]
    if label == "" or not (label or (told and set_name in NAMELESS)) or not all(isinstance(text, str) and text.strip() for text in told):
        raise DataError(f"{where}: the label is empty")
    extra = {k: row[k] for k in ("group", "pose", "equipment", "category", "wnid") if row.get(k)}
    for name, value in extra.items():
        if not isinstance(value, str):
            raise DataError(f"{where}: {name}: expected a text")
    return Sample(set_name, str(folder / image), label, captions, qa, extra)


def read_sets(data: str, sets: list[str] | None = None) -> list[Sample]:
    """All samples of the named sets, in the order of SETS. The default is all sets in the folder, which must be known
    (SETS). Raises DataError before any work begins."""
    root = Path(data)
    there = sorted({file.parent.name for file in root.glob("*/labels.jsonl")} | {s for s in SETS if (root / s).is_dir()})
    names = sets or sorted(there, key=lambda name: SETS.index(name) if name in SETS else -1)
    unknown = [s for s in names if s not in SETS]
    if unknown:
        raise DataError(f"unknown set {unknown[0]!r}; known are {', '.join(SETS)}")
    if not names:
        raise DataError(f"{root}: holds none of the sets {', '.join(SETS)}")
    samples: list[Sample] = []
    for name in names:
        folder = root / name
        if not (folder / "labels.jsonl").is_file():
            raise DataError(f"{folder / 'labels.jsonl'}: missing")
        with open(folder / "labels.jsonl", encoding="utf-8") as lines:
            try:
                samples += [_read_line(name, folder, i, line) for i, line in enumerate(lines, 1) if line.strip()]
            except UnicodeDecodeError as error:
                raise DataError(f"{folder / 'labels.jsonl'}: not UTF-8 ({error})") from None
    if not samples:
        raise DataError(f"{root}: the sets hold no pictures")
    classes = len({s.extra["wnid"] for s in samples if s.set == "imagenet-samples"})
    if classes not in (0, IMAGENET_CLASSES):
        # A class is numbered by its rank among all: if one were missing, those after it would get their neighbours'
        # names.
        raise DataError(f"{root / 'imagenet-samples'}: {classes} classes; expected all {IMAGENET_CLASSES}, or leave the set out")
    return samples
