#!/usr/bin/env bash
# The seed by hand, from nothing: both Deployments and the Service, the new one without
# pods, then the stages. KUBECTL, NAMESPACE and SETTLE as in by-hand.sh.
#   seed.sh FLOWS...    before the first stage, and of each
set -euo pipefail
quietly() { $KUBECTL -n "$NAMESPACE" "$@" >/dev/null; }
# What has not been served since Kubernetes 1.16, as one mends it by hand.
manifest() { sed -e 's#extensions/v1beta1#apps/v1#' "$2" "$3" "testdata/manifests/seed/$1.yaml"; }
manifest old-nginx -e '' | quietly apply -f -
quietly rollout status deployment/old-nginx --timeout 2m
quietly wait --for 'jsonpath={.status.loadBalancer.ingress}' service/nginx --timeout 2m
address=$($KUBECTL -n "$NAMESPACE" get service nginx -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')
manifest new-nginx -e 's/replicas: 1/replicas: 0/' | quietly apply -f -
export FROM=1+0 ASK="curl --silent --show-error --max-time 5 http://$address/"
exec test/compare/by-hand.sh old-nginx new-nginx "1+0:$1" "1+1:$2" "1+4:$3" "0+1:$4"
