"""Faulty data is reported before any work begins: `python -m unittest test_labels`. Needs nothing but Python."""

import json
import tempfile
import unittest
from pathlib import Path

from labels import DataError, read_sets

IMAGE = "a.png"


class Labels(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data = Path(folder.name)

    def make(self, name: str, *lines: dict | bytes) -> None:
        (self.data / name).mkdir()
        (self.data / name / IMAGE).touch()
        (self.data / name / "labels.jsonl").write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))

    def refused(self, name: str, line: dict | bytes, why: str) -> None:
        self.make(name, line)
        with self.assertRaisesRegex(DataError, why):
            read_sets(str(self.data))

    def test_a_picture_that_is_missing(self) -> None:
        self.refused("grocery", {"image": "b.png", "class": "kiwi"}, r"labels.jsonl line 1: image 'b.png' is missing")

    def test_an_empty_label(self) -> None:
        self.refused("grocery", {"image": IMAGE, "class": " "}, "line 1: the label is empty")

    def test_a_set_that_is_not_known(self) -> None:
        self.refused("cars", {"image": IMAGE, "class": "car"}, "unknown set 'cars'")

    def test_a_name_that_is_missing_where_pictures_have_names(self) -> None:
        self.refused("emoji", {"image": IMAGE, "captions": ["A kiwi."]}, "line 1: the label is empty")

    def test_an_empty_answer(self) -> None:
        self.refused("daquar", {"image": IMAGE, "qa": [{"q": "what is on the table", "a": " "}]}, "line 1: the label is empty")

    def test_a_group_that_is_no_text(self) -> None:
        self.refused("grocery", {"image": IMAGE, "class": "kiwi", "group": 5}, "line 1: group: expected a text")

    def test_what_is_no_text_at_all(self) -> None:
        self.refused("grocery", b"\xff\xfe", "not UTF-8")

    def test_sets_without_pictures(self) -> None:
        self.make("grocery")
        with self.assertRaisesRegex(DataError, "the sets hold no pictures"):
            read_sets(str(self.data))

    def test_what_is_right(self) -> None:
        self.make("flickr", {"image": IMAGE, "captions": ["A dog runs."]})
        self.make("daquar", {"image": IMAGE, "qa": [{"q": "what is on the table", "a": "lamp"}]})
        self.make("exercises", {"image": IMAGE, "exercise": "Push-Up", "pose": "start"})
        self.assertEqual([s.label for s in read_sets(str(self.data))], ["push up", None, None])


if __name__ == "__main__":
    unittest.main()
