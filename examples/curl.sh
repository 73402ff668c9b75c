#!/usr/bin/env bash
# A run with nothing but curl: waited for, streamed, in the background.
# Usage: examples/curl.sh [base URL] [model]
set -euo pipefail
url=${1:-http://127.0.0.1:8080}
model=${2:-pebble}
question='{"input": "Ann has 3 pens. Ben has 2 more pens than Ann. How many pens does Ben have?", "model": "'$model'", "strategy": "best-of-n", "options": {"n": 4}'
json='content-type: application/json'
# With a key: add  -H "authorization: Bearer $WHETSTONE_KEY"  to every call.

echo '== wait for the answer'
curl -sS --fail-with-body "$url/v1/runs" -H "$json" -d "$question}"

echo
echo '== watch it happen'
curl -sSN --fail-with-body "$url/v1/runs" -H "$json" -d "$question, \"stream\": true}"

echo '== start it and come back later'
location=$(curl -sS --fail-with-body -o /dev/null -D - "$url/v1/runs" -H "$json" -d "$question, \"background\": true}" |
  tr -d '\r' | sed -n 's/^location: //p')
# The log of a run can be read from any event on, as often as you like.
curl -sSN --fail-with-body "$url$location/events?after=1" | grep '^event: answer.revised'
curl -sS --fail-with-body -X POST "$url$location/cancel"
