"""Training logs -> an SVG picture of what was learned when.

python curves.py --out ../../docs/learning.svg runs/*.jsonl
python curves.py --out ../../docs/candidates.svg --side-by-side runs/candidates/*.jsonl

Left, the loss of the answers; right, the exact answers on held-out pictures by kind of stream: the mean over the tasks
of a report. Runs follow one another in the order of their steps; a dashed line marks where each begins. Side by side,
each run has one colour, minutes count from its own start, and the right panel is the mean over the tasks of short
streams (8 frames); the last reports are printed as a table.
"""

import argparse
import json
from pathlib import Path

KINDS = {"short": "8 frames", "paraphrased": "8 frames, held-out phrasings", "long": "30 s", "minutes": "5 minutes", "boards": "boards", "several": "several streams"}
COLOURS = ["#1b6ca8", "#69b3e7", "#2e8b57", "#d98e04", "#a23b72", "#5f5f5f"]
WIDTH, HEIGHT, LEFT, TOP, GAP = 430, 280, 60, 50, 70


def mean(report: dict) -> float:
    values = [v for k, v in report.items() if k != "mass" and " " not in k]
    return sum(values) / len(values)


def series(logs: list[list[dict]]) -> tuple[list, dict[str, list], list[int]]:
    """Losses and accuracies as (step, value), a list for each run, and the steps at which runs begin."""
    losses = [[(line["step"], line["answer"]) for line in log if "answer" in line] for log in logs]
    reports = [[(line["step"], line["report"]) for line in log if "report" in line] for log in logs]
    kinds = {kind: [[(step, mean(r[kind])) for step, r in run if kind in r] for run in reports] for kind in KINDS}
    return losses, kinds, [log[0]["step"] for log in logs]


class Panel:
    def __init__(self, left: float, steps: tuple[int, int], low: float, high: float):
        self.left, self.steps, self.low, self.high = left, steps, low, high

    def at(self, step: float, value: float) -> tuple[float, float]:
        first, last = self.steps
        x = self.left + WIDTH * (step - first) / max(1, last - first)
        return round(x, 1), round(TOP + HEIGHT * (1 - (value - self.low) / (self.high - self.low)), 1)

    def line(self, points: list[tuple[int, float]], colour: str) -> str:
        path = " ".join(f"{x},{y}" for x, y in (self.at(*p) for p in points))
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>' if points else ""

    def axes(self, title: str, marks: list[float], begins: list[int], unit: str = "steps") -> str:
        out = [f'<text x="{self.left}" y="{TOP - 18}" font-size="14">{title}</text>']
        for mark in marks:
            x, y = self.at(self.steps[0], mark)
            out.append(f'<line x1="{x}" y1="{y}" x2="{x + WIDTH}" y2="{y}" stroke="#ddd"/><text x="{x - 8}" y="{y + 4}" text-anchor="end">{mark:g}</text>')
        for step in begins:
            x, y = self.at(step, self.low)
            out.append(f'<line x1="{x}" y1="{y}" x2="{x}" y2="{TOP}" stroke="#999" stroke-dasharray="3 4"/><text x="{x}" y="{y + 18}" text-anchor="middle">{step:,}</text>')
        x, y = self.at(self.steps[1], self.low)
        out.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle">{self.steps[1]:,} {unit}</text>')
        return "\n".join(out)


def picture(logs: list[list[dict]]) -> str:
    losses, kinds, begins = series(logs)
    steps = (begins[0], max(step for run in losses for step, _ in run))
    top = max(value for run in losses for _, value in run)
    loss, right = Panel(LEFT, steps, 0, top * 1.05), Panel(LEFT + WIDTH + GAP, steps, 0, 1)
    parts = [loss.axes("loss of the answers", [i * 0.2 for i in range(int(top / 0.2) + 1)], begins), right.axes("exact answers", [0, 0.25, 0.5, 0.75, 1], begins)]
    parts += [loss.line(run, COLOURS[0]) for run in losses]
    for i, (kind, runs) in enumerate(kinds.items()):
        y = TOP + 20 + i * 18
        x = right.left + WIDTH + 16
        parts += [right.line(run, COLOURS[i % len(COLOURS)]) for run in runs]
        parts.append(f'<line x1="{x}" y1="{y}" x2="{x + 22}" y2="{y}" stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="3"/><text x="{x + 28}" y="{y + 4}">{KINDS[kind]}</text>')
    return drawing(right.left + WIDTH + 220, parts)


def side_by_side(logs: dict[str, list[dict]]) -> str:
    minutes = round(max(line["minutes"] for log in logs.values() for line in log))
    losses = {name: [(line["minutes"], line["answer"]) for line in log if "answer" in line] for name, log in logs.items()}
    right_answers = {name: [(line["minutes"], mean(line["report"]["short"])) for line in log if "report" in line] for name, log in logs.items()}
    top = max(value for points in losses.values() for _, value in points)
    loss, right = Panel(LEFT, (0, minutes), 0, top * 1.05), Panel(LEFT + WIDTH + GAP, (0, minutes), 0, 1)
    parts = [loss.axes("loss of the answers", [i * 1.0 for i in range(int(top) + 1)], [0], "minutes"), right.axes("exact answers, 8 frames", [0, 0.25, 0.5, 0.75, 1], [0], "minutes")]
    for i, name in enumerate(logs):
        x, y = right.left + WIDTH + 16, TOP + 20 + i * 18
        parts += [loss.line(losses[name], COLOURS[i % len(COLOURS)]), right.line(right_answers[name], COLOURS[i % len(COLOURS)])]
        parts.append(f'<line x1="{x}" y1="{y}" x2="{x + 22}" y2="{y}" stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="3"/><text x="{x + 28}" y="{y + 4}">{name}</text>')
    return drawing(right.left + WIDTH + 220, parts)


def table(logs: dict[str, list[dict]]) -> str:
    """The last report of each run, as Markdown."""
    kinds = ("single", "short", "paraphrased")
    rows = [["run", "minutes", "steps", "questions", "loss of the answers", "`now`, one frame", "8 frames", "8 frames, held-out phrasings"], ["---"] * 8]
    for name, log in logs.items():
        reports = [line for line in log if "report" in line]
        if not reports:
            raise SystemExit(f"{name}: the log holds no report")
        last = reports[-1]
        # A run that logged no losses has none.
        loss = next((f"{line['answer']:.2f}" for line in reversed(log) if "answer" in line), "-")
        right = [last["report"]["single"]["now"], *(mean(last["report"][kind]) for kind in kinds[1:])]
        rows.append([name, f"{last['minutes']:.1f}", f"{last['step']:,}", f"{last['questions']:,}", loss, *(f"{r:.0%}" for r in right)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def drawing(width: float, parts: list[str]) -> str:
    size = (width, TOP + HEIGHT + 40)
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" font-family="sans-serif" font-size="12">',
                      '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--side-by-side", action="store_true", help="plot runs with the same start side by side, named after their files")
    parser.add_argument("logs", nargs="+")
    args = parser.parse_args()
    logs = {Path(name).stem: [json.loads(line) for line in Path(name).read_text().splitlines()] for name in args.logs}
    in_order = sorted(logs.values(), key=lambda log: log[0]["step"])
    Path(args.out).write_text(side_by_side(logs) if args.side_by_side else picture(in_order))
    if args.side_by_side:
        print(table(logs))


if __name__ == "__main__":
    main()
