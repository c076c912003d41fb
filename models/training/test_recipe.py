"""Tests of training on a few synthetic pictures: `python -m unittest test_recipe`. Needs the packages of
requirements.txt, and no data."""

import json
import random
import re
import tempfile
import unittest
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

from backbone import VECTORS
import features
from from_bundle import must_be_of_data
from marks import MARKS
from phrasings import NOT_SHOWN
from projector import DETAIL, TOP, Vocabulary, finished_folds
from signs import SET as SIGNS
from signs import read_all
from spans import WHOLE
from streams import StreamMaker
from text import WIDTH
from time_code import DAY
from train import Trainer, config_of

TINY = {"width": 32, "ffn": 32, "head_dim": 8, "self_heads": 2, "self_kv_heads": 1, "cross_heads": 3, "self_layers": 2, "cross_layers": 2, "window": 64}
LABELS = {
    "grocery": [{"class": name, "group": "fruit"} for name in ("kiwi", "lemon", "pear", "plum")],
    "clothing": [{"class": name} for name in ("hat", "shirt", "dress")],
    "flickr": [{"captions": ["A dog runs.", "Two dogs run on grass."]}, {"captions": ["A man climbs a rock.", "The man climbs."]}],
}


def make_data(data: Path, work: Path) -> None:
    """Writes pictures of each label, some held out, and tokens of their views that hold their names."""
    for name, rows in LABELS.items():
        (data / name).mkdir(parents=True)
        lines = [{"image": f"{i}-{copy}.png", **row} for i, row in enumerate(rows) for copy in range(30)]
        for line in lines:
            Image.new("RGB", (8, 8)).save(data / name / line["image"])
        (data / name / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)))
    samples, rng = read_all(str(data)), np.random.default_rng(1)
    vocab, views = Vocabulary(samples), [(i, number, []) for i, s in enumerate(samples) for number in range(24 if s.set == SIGNS else 2)]
    count = len(views)
    top = rng.integers(len(vocab.labels), size=(count, VECTORS, TOP))
    top[:, WHOLE, 0] = [vocab.index.get(samples[i].label, 0) for i, *_ in views]
    numbers = {"label_mix": WIDTH, "word_mix": WIDTH, "top_p": TOP, "detail": DETAIL}
    arrays = {"top": top.astype(np.int16), "marks": rng.random((count, MARKS)), **{key: rng.random((count, VECTORS, size)) for key, size in numbers.items()}}
    work.mkdir()
    for key, array in arrays.items():
        np.save(work / f"{key}.npy", array if key == "top" else array.astype(np.float16))
    for name, value in {"views": views, "sentences": {}, "colours": {}}.items():
        (work / f"{name}.json").write_text(json.dumps(value))


class Features(unittest.TestCase):
    """With a fake backbone, whose feature for a view identifies the view."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data, self.work = Path(folder.name, "data"), Path(folder.name, "work")
        make_data(self.data, Path(folder.name, "tokens"))
        self.made: list[int] = []

    def run_until(self, views: int) -> None:
        """Makes at most this many views, then interrupts the run."""

        def encode_views(_eyes, _graph, _data, _seed, plan):
            self.made.append(len(plan))
            for at in range(0, len(plan), features.BATCH):
                if at >= views:
                    raise KeyboardInterrupt
                some = plan[at : at + features.BATCH]
                yield np.array([[[i * 100 + n]] for i, n in some], np.float16), [[i, n, []] for i, n in some]

        arguments = ["features.py", "--data", str(self.data), "--work", str(self.work)]
        with mock.patch("features.encode_views", encode_views), mock.patch("features.EfficientNetLite0"), mock.patch("sys.argv", arguments), mock.patch("features.SAVED", 16):
            features.main()

    def cut_off_at(self, views: int) -> None:
        with self.assertRaises(KeyboardInterrupt):
            self.run_until(views)

    def values(self) -> np.ndarray:
        return np.load(self.work / "features.npy")[:, 0, 0]

    def test_a_run_that_is_cut_off_goes_on(self) -> None:
        self.run_until(10**6)
        whole, views = self.values(), (self.work / "views.json").read_text()
        for path in self.work.iterdir():
            path.unlink()
        self.made.clear()
        self.cut_off_at(40)
        with open(self.work / "views.new.jsonl", "a") as lines:
            lines.write("[1, 2")  # a line that was cut off
        self.cut_off_at(24)
        self.run_until(10**6)
        self.assertEqual(self.made, [len(whole), len(whole) - 32, len(whole) - 48])
        np.testing.assert_array_equal(self.values(), whole)
        self.assertEqual((self.work / "views.json").read_text(), views)
        self.run_until(10**6)
        self.assertEqual(len(self.made), 3)

    def test_of_other_pictures_it_begins_anew(self) -> None:
        self.cut_off_at(40)
        Image.new("RGB", (9, 9)).save(self.data / "grocery" / "0-0.png", compress_level=0)
        self.run_until(10**6)
        self.assertEqual(self.made[0], self.made[1])


class Folds(unittest.TestCase):
    def test_those_of_another_number_are_not_taken_for_finished(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            self.assertEqual(finished_folds(work, 5), set())
            for fold in (0, 1):
                (work / f"fold{fold}.done").write_text("5")
            self.assertEqual(finished_folds(work, 5), {0, 1})
            with self.assertRaisesRegex(SystemExit, "fold0.done is one of 5 folds, not of 2"):
                finished_folds(work, 2)
            (work / "fold1.done").unlink()
            (work / "fold0.done").write_text("")  # of an older run
            self.assertEqual(finished_folds(work, 2), {0})


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data, cls.work = Path(folder.name, "data"), Path(folder.name, "work")
        make_data(cls.data, cls.work)

    def trainer(self, **config: object) -> Trainer:
        return Trainer(Namespace(data=str(self.data), work=str(self.work), name="small", seed=1, config=json.dumps({**TINY, **config}), lr=0.01, adam_lr=1e-3, restart_clock=False))

    def steps(self, trainer: Trainer, seed: int, number: int = 2) -> list[float]:
        """The losses of some steps, which depend only on the seed."""
        torch.manual_seed(seed)
        random.seed(seed)
        maker = StreamMaker(trainer.world, seed, part=0.3)
        losses = []
        for _ in range(number):
            losses += [float(value.detach()) for value in trainer.update(maker.batch(2, 12, 6)).values()]
        return losses

    def test_a_seed_decides_all(self) -> None:
        self.assertEqual(self.steps(self.trainer(), 3), self.steps(self.trainer(), 3))

    def test_goes_on_as_if_it_had_not_been_interrupted(self) -> None:
        trainer, resumed = self.trainer(), self.trainer()
        self.steps(trainer, 3)
        trainer.save()
        resumed.resume()
        self.assertEqual(self.steps(trainer, 4), self.steps(resumed, 4))
        for one, other in zip(trainer.mean.mean, resumed.mean.mean, strict=True):
            self.assertTrue(torch.equal(one, other))

    def test_says_which_fields_of_a_checkpoint_are_others(self) -> None:
        self.trainer().save()
        with self.assertRaisesRegex(SystemExit, "another configuration: width 32 in place of 16$"):
            self.trainer(width=16).resume()

    def test_fields_that_there_are_not_are_refused_before_data_is_read(self) -> None:
        for text in ('{"widht": 64}', '{"width": "64"}', '{"cache": "layer"}', '{"labels": 3}', "[]", "{"):
            with self.assertRaises(ArgumentTypeError):
                config_of(text)
        self.assertEqual(config_of('{"width": 64, "self_decoder": "retention"}'), '{"width": 64, "self_decoder": "retention"}')

    def test_a_bundle_of_other_names_is_not_read_back(self) -> None:
        names, weight = torch.randn(60, 20), torch.randn(8, 20)
        must_be_of_data(names, names @ weight.T * (1 + 0.01 * torch.randn(60, 8)), "names")
        with self.assertRaisesRegex(SystemExit, "knows 60 names, and the data has 59"):
            must_be_of_data(names[:59], names @ weight.T, "names")
        with self.assertRaisesRegex(SystemExit, "have different names"):
            must_be_of_data(torch.cat([torch.randn(1, 20), names[1:]]), names @ weight.T, "names")

    def test_a_time_means_what_was_there_when_its_second_began(self) -> None:
        maker, seconds = StreamMaker(self.trainer().world, 1), re.compile(r"(?:(\d+):)?(\d+):(\d\d)")
        asked = 0
        for _ in range(80):
            for spans, times, questions in maker.batch(4, 40, 12, {"ago": 1}, long=True).made:
                for q in questions:
                    named = seconds.search(q.text)
                    if q.task != "ago" or q.answer == NOT_SHOWN or not named or q.earlier:
                        continue
                    hours, minutes, rest = (int(part or 0) for part in named.groups())
                    frame = max(np.searchsorted(times, times[0] // DAY * DAY + 1000 * (3600 * hours + 60 * minutes + rest), "right") - 1, 0)
                    asked += 1
                    self.assertIn(q.answer, [s.label for s in spans if s.start <= frame < s.end], q.text)
        self.assertGreater(asked, 1000)

    def test_all_is_made_on_the_device_that_is_chosen(self) -> None:
        with torch.device("meta"):
            trainer = self.trainer()
            maker = StreamMaker(trainer.world, 1)
            batches = [maker.batch(2, 12, 6), maker.batch_of_several(1, 2, 8, 4), maker.batch_of_one(240, 4, 8, {"seen": 1}, hay=True)]
        held = {f"batch {i}, {name}": value for i, batch in enumerate(batches) for name, value in vars(batch).items() if isinstance(value, torch.Tensor)}
        for part in (trainer.model, trainer.probes):
            held |= dict(part.named_parameters()) | dict(part.named_buffers())
        held |= {name: value for name, value in vars(trainer).items() if isinstance(value, torch.Tensor)}
        self.assertEqual([name for name, value in held.items() if value.device.type != "meta"], [])


if __name__ == "__main__":
    unittest.main()
