"""All stages with one command: labelled pictures -> a bundle.

python recipe.py --data DIR --work DIR --hours 3 --out ../yoco-small-1 [--bundle ../yoco-small-1]

Each stage is a program of its own and documents itself. Features, small pictures, stage 0, the second look and training
skip what is finished. After an interruption features and training resume where they stopped, and stage 0 resumes with
the fold it was in; small pictures and the second look start over. With --bundle training continues from what is
shipped. `--hours` is the time of stages 1 to 3.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def run(program: str, *arguments: str) -> None:
    command = [sys.executable, str(HERE / f"{program}.py"), *arguments]
    print("$", program, *arguments, flush=True)
    done = subprocess.run(command)
    if done.returncode != 0:
        raise SystemExit(f"{program} ended with {done.returncode}; the same command goes on from there")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--out", required=True)
    parser.add_argument("--bundle", help="start from the weights of this bundle")
    parser.add_argument("--name", default="small")
    parser.add_argument("--folds", default="5")
    parser.add_argument("--device", default="cpu", help="PyTorch device of projector.py, eyes.py and train.py, such as cuda")
    args = parser.parse_args()
    work = Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    places, device = ("--data", args.data, "--work", args.work), ("--device", args.device)
    if args.bundle and not (work / f"{args.name}.pt").exists():
        run("from_bundle", *places, "--bundle", args.bundle, "--name", args.name)
    run("features", *places)
    run("palette", *places)
    run("projector", *places, *device, "--folds", args.folds)
    run("eyes", *places, *device)
    run("consensus", *places)
    resume = ("--resume",) if (work / f"{args.name}.pt").exists() else ()
    run("train", *places, *device, "--name", args.name, "--hours", str(args.hours), *resume)
    run("calibrate", *places, "--name", args.name, "--out", f"{args.name}-calibrated")
    run("export", *places, "--name", f"{args.name}-calibrated", "--out", args.out)


if __name__ == "__main__":
    main()
