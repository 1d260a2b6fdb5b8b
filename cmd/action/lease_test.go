package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// addLease adds what a rollout has left, for kinds such as "left stages cut": the
// phase, and whether its run still holds the Lease, was cut off or ended by itself.
func (s *apiServer) addLease(answers map[string]string) {
	const leases = "/apis/coordination.k8s.io/v1/namespaces/web/leases"
	answers[leases] = emptyList("coordination.k8s.io/v1", "LeaseList")
	answers[strings.Replace(leases, "/web/", "/game/", 1)] = answers[leases]
	words := strings.Fields(s.kind)
	if words[0] != "left" {
		return
	}
	state := fmt.Sprintf(`{"schemaVersion":1,"mode":"pair","stable":"old-nginx","canary":"new-nginx","replicas":10,"phase":%q,"objects":{}}`, words[1])
	holder, identity := `{"run":"7","attempt":"1","job":"deploy","step":"__org_l4-canary","token":"t"}`, `"holderIdentity":"run 7, job deploy"`
	annotations := map[string]string{"l4-canary.io/holder": holder, "l4-canary.io/state": state}
	if words[2] != "held" {
		identity = ""
	}
	if words[2] == "cut" {
		annotations["l4-canary.io/interrupted"] = "true"
	}
	data, err := json.Marshal(annotations)
	if err != nil {
		panic(err)
	}
	lease := fmt.Sprintf(`{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"l4-canary-nginx","namespace":"web","resourceVersion":"5","annotations":%s},"spec":{%s}}`, data, identity)
	answers[leases] = fmt.Sprintf(`{"apiVersion":"coordination.k8s.io/v1","kind":"LeaseList","metadata":{},"items":[%s]}`, lease)
	answers[leases+"/l4-canary-nginx"] = lease
}
