"""How fast training is, and which share of the machine's peak that is.

python throughput.py --data DIR --work DIR [--name small]

For each shape of a batch: seconds a step, questions and tokens a second, and the FLOPS of the step's matrix products
(forward, backward, Muon), compared with those of one large product in the same precision, measured in the same run: the
peak.
"""

import argparse
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from precision import add_device, bfloat16
from streams import StreamMaker
from train import BOARD_TASKS, SINGLE_TASKS, Trainer, config_of

STEPS = 3
PEAK_SIZE = 2048


def now() -> float:
    """Seconds on a clock, once a GPU has finished its work."""
    if torch.get_default_device().type != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter()


def peak() -> float:
    """GFLOPS of a large matrix product, the best of several."""
    a, b = (torch.randn(PEAK_SIZE, PEAK_SIZE, dtype=torch.bfloat16 if bfloat16() else torch.float32) for _ in range(2))
    best = float("inf")
    for _ in range(8):
        begin = now()
        a @ b
        best = min(best, now() - begin)
    return 2 * PEAK_SIZE**3 / best / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--name", help="checkpoint whose weights are used; default: new weights")
    parser.add_argument("--config", type=config_of, default="{}")
    add_device(parser)
    args = parser.parse_args()
    if args.name and not (Path(args.work) / f"{args.name}.pt").exists():
        parser.error(f"--name: {Path(args.work) / args.name}.pt is missing")
    trainer = Trainer(argparse.Namespace(data=args.data, work=args.work, name=args.name, seed=1, config=args.config, lr=1e-4, adam_lr=1e-5, restart_clock=True))
    if args.name:
        trainer.resume()
    maker, boards = StreamMaker(trainer.world, 5), StreamMaker(trainer.world, 5, sets={"boards": 1})
    shapes = {
        "96 streams of 1 frame": lambda: maker.batch(96, 1, 3, SINGLE_TASKS),
        "16 streams of 12 frames": lambda: maker.batch(16, 12, 12),
        "12 boards of 16 frames": lambda: boards.batch(12, 16, 10, BOARD_TASKS),
        "5 streams of 60 frames": lambda: maker.batch(5, 60, 32),
        "3 streams of 120 frames": lambda: maker.batch(3, 120, 48),
        "6 times 2 streams of 8 frames": lambda: maker.batch_of_several(6, 2, 8, 16),
        "1 stream of 240 frames": lambda: maker.batch_of_one(240, 4, 64),
        "1 stream of 600 frames, reading": lambda: maker.batch_of_one(600, 10, 64),
        "1 stream of 2400 frames, reading": lambda: maker.batch_of_one(2400, 40, 24),
    }

    most = peak()
    print(f"peak: {most:.0f} GFLOPS in {'bfloat16' if bfloat16() else 'float32'}, {torch.get_num_threads()} threads")
    print(f"{'batch':34} {'s a step':>9} {'questions/s':>12} {'tokens/s':>9} {'GFLOP':>7} {'GFLOPS':>7} {'of peak':>8}")
    for name, make in shapes.items():
        trainer.update(make())
        with FlopCounterMode(display=False) as counter:
            trainer.update(make())
        gflop = counter.get_total_flops() / 1e9
        took = questions = tokens = 0.0
        for _ in range(STEPS):
            begin = now()
            batch = make()
            trainer.update(batch)
            took += now() - begin
            questions += batch.sep.numel()
            tokens += batch.times.numel() * trainer.config.tokens_per_frame + int(batch.lengths.sum())
        rate = gflop * STEPS / took
        print(f"{name:34} {took / STEPS:9.2f} {questions / took:12.0f} {tokens / took:9.0f} {gflop:7.0f} {rate:7.0f} {rate / most:8.0%}", flush=True)


if __name__ == "__main__":
    main()
