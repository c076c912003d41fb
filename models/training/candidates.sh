#!/bin/sh
# Trains each candidate for the same processor hours, one after the other, and plots their curves side by side:
#
#   ./candidates.sh DATA WORK HOURS [NAME...]
#
# With OMP_NUM_THREADS=1, one instance per core can run at once, each with different names. Other programs on the
# machine do not use up their hours. Needs what features.py, projector.py and consensus.py leave in WORK. Finished
# candidates are skipped; interrupted ones resume.
set -eu
data=$1 work=$2 hours=$3
shift 3
here=$(dirname "$0")

config() {
  case $1 in
  small) echo '{}' ;;
  retention) echo '{"self_decoder": "retention"}' ;;
  layer-caches) echo '{"cache": "layers"}' ;;
  wide) echo '{"width": 384, "ffn": 1152, "self_layers": 6, "cross_layers": 6}' ;;
  smollm2-12) convert "$1" 0-5 24-29 ;;
  smollm2-30) convert "$1" 0-14 15-29 ;;
  *) echo "no candidate is called $1" >&2 && exit 1 ;;
  esac
}

# Prints the configuration for SmolLM2's layers, and makes the initial checkpoint.
convert() {
  [ -f "$work/$1.pt" ] || python "$here/smollm2.py" --data "$data" --work "$work" --name "$1" --self-layers "$2" --cross-layers "$3" >&2
  cat "$work/$1.config.json"
}

# Lower learning rates for pretrained layers, so that they are not disrupted.
rates() {
  case $1 in
  smollm2-*) echo '--lr 0.006 --adam-lr 0.0004' ;;
  *) echo '' ;;
  esac
}

[ $# -gt 0 ] || set -- small retention layer-caches wide smollm2-12 smollm2-30
for name in "$@"; do
  [ -f "$work/$name.done" ] && continue
  shape=$(config "$name")
  resume=''
  [ -f "$work/$name.pt" ] && resume=--resume
  python "$here/train.py" --data "$data" --work "$work" --name "$name" --config "$shape" $resume $(rates "$name") --hours "$hours" --clock processor \
    --report brief --report-minutes "$(python -c "print($hours * 60 / 18)")"
  touch "$work/$name.done"
done
mkdir -p "$here/runs/candidates"
for name in "$@"; do cp "$work/$name.jsonl" "$here/runs/candidates/"; done
python "$here/curves.py" --out "$here/../../docs/candidates.svg" --side-by-side "$here"/runs/candidates/*.jsonl
