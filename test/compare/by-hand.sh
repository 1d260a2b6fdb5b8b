#!/usr/bin/env bash
# The same moves as by hand: scale the new version up, wait for its rollout, scale
# the old one down, wait again. KUBECTL is the command, NAMESPACE the namespace.
#   by-hand.sh OLD NEW STABLE+CANARY...
set -euo pipefail
old=$1 new=$2
shift 2
scale() {
  $KUBECTL -n "$NAMESPACE" scale "deployment/$1" --replicas "$2" >/dev/null
  $KUBECTL -n "$NAMESPACE" rollout status "deployment/$1" --timeout 2m >/dev/null
}
for stage in "$@"; do
  began=$(date +%s.%N)
  scale "$new" "${stage#*+}"
  scale "$old" "${stage%+*}"
  echo "$stage $(date +%s.%N) $began" | awk '{printf "%s %.3f\n", $1, $2 - $3}'
  sleep "${PAUSE:-3}"
done
