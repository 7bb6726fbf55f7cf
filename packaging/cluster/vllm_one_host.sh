#!/usr/bin/env bash
# vLLM on one host, one copy of the model on each card, behind one address.
#
#     MODEL=llava-hf/llava-1.5-7b-hf CARDS=4 packaging/cluster/vllm_one_host.sh
#
# pip install vllm. Only this machine reaches it; for others set HOST, and KEY to a long random text.
set -euo pipefail
arguments=(--served-model-name onlooker --host "${HOST:-127.0.0.1}" --port "${PORT:-8000}"
           --data-parallel-size "${CARDS:-1}" --max-model-len 4096
           --limit-mm-per-prompt '{"image": 1}')
[ -n "${KEY:-}" ] && export VLLM_API_KEY="$KEY" # Not an argument, which other users could read.
export VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
exec vllm serve "${MODEL:?a folder or a name on the hub}" "${arguments[@]}"
