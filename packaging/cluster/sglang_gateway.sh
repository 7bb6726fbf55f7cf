#!/usr/bin/env bash
# SGLang's gateway in front of servers that run already, SGLang's own or any with OpenAI's API.
#
#     packaging/cluster/sglang_gateway.sh http://gpu1:30000 http://gpu2:30000
#
# pip install sglang-router. On each host with a card:
#     python -m sglang.launch_server --model-path MODEL --host 0.0.0.0 --port 30000
# Images differ from request to request, so that there are no common beginnings to keep together:
# round_robin instead of the gateway's cache_aware.
set -euo pipefail
exec python -m sglang_router.launch_router --host "${HOST:-127.0.0.1}" --port "${PORT:-8000}" \
    --policy round_robin --worker-urls "$@"
