#!/usr/bin/env bash
# How the trainer's defaults were found: each line of options is trained with three seeds while a sixth of the
# training samples is held out, and the mean accuracy on those decides. The test samples take no part.
#
#   examples/search.sh [FILE]   lines of options; without FILE those below. Prints a line each, as they end,
#                               with the mean, how far apart the seeds are and the mean time of a training,
#                               then the best again. The environment may say otherwise: TRAIN, the program;
#                               SEEDS="1 2 3"; COMMON, what precedes each line.
set -euo pipefail

train=${TRAIN:-$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../build/release/examples/train}
read -ra seeds <<<"${SEEDS:-1 2 3}"
read -ra common <<<"${COMMON:---epochs 20 --label-smoothing 0}"

candidates() {
  cat <<'LINES'
--schedule constant --lr 0.02
--schedule plateau --lr 0.05
--schedule linear --lr 0.05
--schedule linear --lr 0.1
--schedule cosine --lr 0.05
--schedule cosine --lr 0.1
--schedule one_cycle --lr 0.02
--schedule one_cycle --lr 0.05
--schedule one_cycle --lr 0.1
--schedule one_cycle --lr 0.05 --batch 64
--schedule one_cycle --lr 0.05 --batch 256
--schedule one_cycle --lr 0.05 --weight-decay 0.0005
--schedule one_cycle --lr 0.05 --label-smoothing 0.1
--schedule one_cycle --lr 0.1 --label-smoothing 0.1
--schedule one_cycle --lr 0.05 --label-smoothing 0.1 --activation gelu
--schedule one_cycle --lr 0.05 --activation gelu
--schedule one_cycle --lr 0.05 --layers 512,256
--optimizer adamw --schedule linear --lr 0.001
--optimizer adamw --schedule cosine --lr 0.001
--optimizer adamw --schedule one_cycle --lr 0.001
--optimizer adamw --schedule one_cycle --lr 0.002
LINES
}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# The accuracy on the held-out samples after the last epoch, and the seconds.
trained() {
  "$train" "${common[@]}" "$@" --validation 0.16666667 --no-verify --no-pictures --quiet --out "$out" >"$out/log"
  awk -F, 'END {print $4, $6}' "$out/history.csv"
}

while read -ra options; do
  ((${#options[@]})) || continue
  for seed in "${seeds[@]}"; do trained "${options[@]}" --seed "$seed"; done |
    awk -v options="${options[*]}" '
      {sum += $1; time += $2; if (NR == 1 || $1 < low) low = $1; if ($1 > high) high = $1}
      END {printf "%.2f  %.2f  %5.1f s  %s\n", 100 * sum / NR, 100 * (high - low), time / NR, options}'
done < <(if (($#)); then cat "$1"; else candidates; fi) | tee "$out/all"
echo "best: $(sort -rn "$out/all" | head -n 1)"
