#!/usr/bin/env bash
# From nothing to a trained and evaluated model: download LibriTTS, prepare, train, evaluate. Running it again goes on.
#
#   scripts/libritts.sh                                         train-clean-100, our own small recipe
#   SUBSETS="train-clean-100 train-clean-360 train-other-500 dev-clean" CONFIG=configs/f5tts_v1_small_libritts.yaml \
#     GPUS=8 scripts/libritts.sh
#   CORPUS=/data/LibriTTS scripts/libritts.sh                   a copy that is already there
#
# Other words on the command line go to `tts-fm train`, such as --set training.updates=1000.
set -euo pipefail
cd "$(dirname "$0")/.."
config=${CONFIG:-configs/aligned_small_libritts.yaml}
corpus=${CORPUS:-runs/LibriTTS}
prepared=${PREPARED:-runs/libritts}
run=${RUN:-runs/$(basename "$config" .yaml)}
gpus=${GPUS:-1}
read -ra subsets <<<"${SUBSETS:-train-clean-100 dev-clean}"

chosen=()
for subset in "${subsets[@]}"; do
  chosen+=(--subset "$subset")
  if [[ ! -d $corpus/$subset ]]; then
    [[ $(basename "$corpus") == LibriTTS ]] || { echo "there is no $corpus/$subset; CORPUS must end in LibriTTS to be downloaded" >&2; exit 2; }
    lhotse download libritts -p "$subset" "$(dirname "$corpus")"
  fi
done

align=()
if grep -q 'name: aligned_dit' "$config"; then align=(--align); fi
tts-fm prepare libritts "$corpus" "$prepared" "${chosen[@]}" "${align[@]}"

train=(train "$config" --output "$run" --set "data.manifests=[$prepared/manifest.jsonl]")
if grep -q 'vocab:' "$config"; then train+=(--set "data.vocab=$prepared/vocab.txt"); fi
if ((gpus > 1)); then
  torchrun --nproc_per_node "$gpus" -m tts_fm.commands "${train[@]}" "$@"
else
  tts-fm "${train[@]}" "$@"
fi

tts-fm plot "$run"
tts-fm evaluate --model "$run/model" --corpus "$prepared" --out "$run/evaluation"
