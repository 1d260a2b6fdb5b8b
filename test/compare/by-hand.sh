#!/usr/bin/env bash
# The same moves as by hand: scale the new version up, wait for its rollout, scale
# the old one down, wait again. KUBECTL is the command, NAMESPACE the namespace. FROM,
# STABLE+CANARY, is what is there already: nobody scales what has the right size.
#   by-hand.sh OLD NEW STABLE+CANARY[:FLOWS]...
# With flows it then waits SETTLE seconds and asks the Service so many times, one after
# another: ASK is evaluated, and prints a line for each answer, which begins with the version.
# Without them it waits PAUSE seconds.
set -euo pipefail
old=$1 new=$2
shift 2
from=${FROM:--1+-1}
scale() {
  [ "$2" != "$3" ] || return 0
  $KUBECTL -n "$NAMESPACE" scale "deployment/$1" --replicas "$3" >/dev/null
  $KUBECTL -n "$NAMESPACE" rollout status "deployment/$1" --timeout 2m >/dev/null
}
ask() {
  for ((i = 0; i < $1; i++)); do
    eval "$ASK" || echo lost
  done | awk '{n[$1]++} END {printf "answers"; for (v in n) printf " %s %d", v, n[v]; print ""}'
}
for stage in "$@"; do
  pods=${stage%:*}
  began=$(date +%s.%N)
  scale "$new" "${from#*+}" "${pods#*+}"
  scale "$old" "${from%+*}" "${pods%+*}"
  from=$pods
  echo "$pods $(date +%s.%N) $began" | awk '{printf "%s %.3f\n", $1, $2 - $3}'
  if [ "$pods" = "$stage" ]; then
    sleep "${PAUSE:-3}"
  else
    sleep "$SETTLE"
    ask "${stage#*:}"
  fi
done
