#!/usr/bin/env bash
# Ten pods by hand: the new Deployment without pods, then the stages. Each time both ports
# are asked, TCP and UDP. KUBECTL, NAMESPACE and SETTLE as in by-hand.sh.
#   lobby.sh FLOWS...   before the first stage, and of each; to each port
set -euo pipefail
sed 's/replicas: 10/replicas: 0/' testdata/manifests/lobby/lobby-green.yaml | $KUBECTL -n "$NAMESPACE" apply -f - >/dev/null
address=$($KUBECTL -n "$NAMESPACE" get service lobby -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')
export FROM=10+0
export ASK="nc.openbsd -N -w 5 $address 7000 </dev/null && nc.openbsd -u -W 1 -w 5 $address 7000 <<<''"
exec test/compare/by-hand.sh lobby-blue lobby-green "10+0:$1" "9+1:$2" "9+3:$3" "5+5:$4" "0+10:$5"
