package main

import (
	"cmp"
	"testing"
)

// cluster is the API server of one row, and how it is reached.
type cluster struct {
	api             *apiServer
	url, kubeconfig string
}

// newCluster starts an API server of a kind until the test ends. Without one it is "serving", and
// may not be asked: then, and when something would be changed, it raises the alarm, for the rest
// of a rollout would take its time.
func newCluster(t *testing.T, kind string, alarm func()) cluster {
	t.Helper()
	api := &apiServer{kind: cmp.Or(kind, "serving"), alarm: func(write bool) {
		if write || kind == "" {
			alarm()
		}
	}}
	server, _, kubeconfig := api.start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return cluster{api, server.URL, kubeconfig}
}

// soundService, soundOld and soundNew are the seed's, of apps/v1.
const soundService = `apiVersion: v1
kind: Service
metadata:
  name: nginx
spec:
  type: LoadBalancer
  selector:
    app: nginx
  ports:
  - port: 80
`

const soundOld = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: old-nginx
spec:
  replicas: 10
  selector:
    matchLabels:
      run: old-nginx
  template:
    metadata:
      labels:
        run: old-nginx
        app: nginx
    spec:
      containers:
      - name: nginx
        image: registry.example.com/old-nginx:1
        ports:
        - containerPort: 80
`

const soundNew = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: new-nginx
spec:
  replicas: 10
  selector:
    matchLabels:
      run: new-nginx
  template:
    metadata:
      labels:
        run: new-nginx
        app: nginx
    spec:
      containers:
      - name: nginx
        image: registry.example.com/new-nginx:1
        ports:
        - containerPort: 80
`

const soundPair = soundService + "---\n" + soundOld + "---\n" + soundNew
