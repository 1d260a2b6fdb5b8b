# make            check: format, vet, lint, tests
# make demo       the seed's canary on a real cluster on this machine
# make demo-down  take that cluster away
# make test       unit tests with the race detector, then e2e on clusters of its own
# make drill      kill rollouts at every write and go on or back, under 60 minutes
# make soak       50 rollouts in a row while things happen to the cluster, under 40 minutes
# make servers    every preset and recipe, and queries, against real servers, about 3 minutes
# make compare    a rollout beside the same moves with kubectl
# make test-act   the action and the examples in workflows, by act, against a lab
# make bench-rollout  what a whole rollout costs, beside the least that it could take and the same by hand
# make scale      rollouts of 10, 100 and 1,000 pods a side, about 7 minutes
# make bench      how fast samples are taken and what one costs, beside wrk, ab and fortio
# make bench-start  how soon the program asks its first question, beside Node.js; how large it is
# make sim        how often the verdict errs behind balancers of every kind, simulated
# make fuzz       every fuzz target, ten minutes in all
# make pictures   the gallery of docs/report.md, from the records of the tests
# make generate   both action.yml and the README's tables, from internal/config
# make verify     the documentation against the program: every command in it is run, about 3 minutes
# make vulnerable what of the dependencies is known to be vulnerable and called
# make archives   what a release offers for download, in dist/

SHELL := /bin/bash
# One setting everywhere but under the race detector, so that builds share a cache.
export CGO_ENABLED := 0
VERSION ?= dev
COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null)
DATE := $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

CACHE := $(or $(L4_LAB_CACHE),$(HOME)/.cache/l4-canary)
GOLANGCI := $(CACHE)/golangci-lint-v2.15.0/golangci-lint
E2E_TIMEOUT := 40m
# Rollouts at a time: they wait more than they work.
E2E_PARALLEL ?= 4
# -update writes the report into docs; -mode and -only choose cases by a pattern.
DRILL_FLAGS ?=
# Cases at a time. More than that on two cores, and the clients wait for a core.
DRILL_PARALLEL ?= 5
# -update writes the tables into docs/reliability.md; -rollouts, -seed and -only are others.
SOAK_FLAGS ?=
# -update writes the tables into docs/verdict.md; -stages, -judged, -seed and -only are others.
SIM_FLAGS ?=
# -update writes the tables into docs/scale.md; -sizes are others.
SCALE_FLAGS ?=
# -update writes the tables into docs/speed.md, or docs/cost.md; -rounds, -seconds, -seed and -only are others.
BENCH_FLAGS ?=
# How long each fuzz target runs; empty: ten minutes shared by all.
FUZZ_TIME ?=
# -update writes the table into docs/hostile.md; -only is another.
FUZZ_FLAGS ?=

.PHONY: check build fmt vet lint test unit lab-e2e e2e drill drill-ci drill-faults soak compare coverage test-act scale sim bench fuzz bench-rollout bench-start servers kubernetes packages server-packages bench-packages rollout-packages verify demo demo-down generate pictures picture-packages vulnerable archives clean
check: fmt vet lint test verify

build: bin/l4-canary bin/lab

.PHONY: bin/l4-canary bin/lab
bin/l4-canary:
	go build -ldflags "$(LDFLAGS)" -o $@ ./cmd/action

bin/lab:
	cd lab && go build -o ../$@ .

fmt:
	@out="$$(gofmt -l cmd internal lab test *.go)"; if [ -n "$$out" ]; then echo "not gofmt-ed:"; echo "$$out"; exit 1; fi

vet:
	go vet -tags e2e ./...
	cd lab && go vet -tags e2e ./...

$(GOLANGCI):
	@echo "installing golangci-lint, about 3 minutes the first time"
	GOBIN=$(dir $@) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

lint: $(GOLANGCI)
	$(GOLANGCI) run ./...
	cd lab && $(GOLANGCI) run --config ../.golangci.yml ./...
	go tool -modfile=tools/go.mod actionlint
	go tool -modfile=tools/go.mod actionlint examples/github/*.yml examples/gitea/*.yml
	@test/packages.sh shellcheck:shellcheck
	shellcheck host/*.sh test/*.sh test/compare/*.sh test/cost/*.sh .ci/run

# The lab is for development: what it builds is no part of the product.
vulnerable:
	go tool -modfile=tools/go.mod govulncheck ./cmd/... ./internal/...

archives:
	host/archives.sh $(VERSION) $(COMMIT) $(DATE)

test: unit lab-e2e e2e

unit: packages
	CGO_ENABLED=1 go test -race ./...
	cd lab && CGO_ENABLED=1 go test -race ./...
	go test -tags e2e -run TestEveryBlock ./test/docs

# The first run builds Kubernetes, which takes about ten minutes and says so.
kubernetes: bin/lab
	bin/lab build

lab-e2e: kubernetes packages
	cd lab && go test -tags e2e -run TestLab -count=1 -timeout $(E2E_TIMEOUT) .

e2e: build kubernetes packages
	go test -tags e2e -count=1 ./test/runner
	go test -tags e2e -count=1 -timeout $(E2E_TIMEOUT) -parallel $(E2E_PARALLEL) -v ./test/harness ./test/e2e

# Kill every rollout at every write.
drill: build kubernetes packages
	go test -tags e2e -count=1 -timeout 60m -parallel $(DRILL_PARALLEL) -v -run TestEvery ./test/drill $(DRILL_FLAGS)

# One rollout, every write, before and after and on and back in turn.
drill-ci: build kubernetes packages
	go test -tags e2e -count=1 -timeout 10m -parallel $(DRILL_PARALLEL) -v -run TestSome ./test/drill $(DRILL_FLAGS)

# Every call of a rollout goes wrong once.
drill-faults: build kubernetes packages
	go test -tags e2e -count=1 -timeout 60m -parallel $(DRILL_PARALLEL) -v -run TestFaults ./test/drill $(DRILL_FLAGS)

# Rollouts in a row on two nodes, each with a fault, under users that are there all the time.
soak: build kubernetes packages
	go test -tags e2e -count=1 -timeout 10m -v -run TestRepeated ./cmd/action
	go test -tags e2e -count=1 -timeout 90m -v -run TestSoak ./test/soak $(SOAK_FLAGS)

# A rollout of ten pods beside the same moves by hand: what clients lose, and how long
# the moves take. ROUNDS, 3, are made in turns.
compare: build kubernetes packages
	go test -tags e2e -count=1 -timeout 30m -v ./test/compare

# A balancer with a known share is sampled twenty times in either mode of kube-proxy.
coverage: build kubernetes packages
	go test -tags e2e -count=1 -timeout 20m -v ./test/coverage $(COVERAGE_FLAGS)

# Rollouts of so many pods that only a simulator can speak for them.
scale: build kubernetes packages bin/kwok
	go test -tags e2e -count=1 -timeout 20m -v ./test/scale $(SCALE_FLAGS)

bin/kwok: test/scale/kwok/go.mod test/scale/kwok/go.sum
	cd test/scale/kwok && go build -o ../../../$@ sigs.k8s.io/kwok/cmd/kwok

# Stages are simulated, with no cluster and no network: about six minutes on two cores that have nothing else to do.
sim:
	go run ./test/sim $(SIM_FLAGS)

# The first run builds the packages anew, to see where their code goes.
fuzz:
	go run ./test/fuzz -time '$(FUZZ_TIME)' $(FUZZ_FLAGS)

# The examples and the reusable workflow, by act. Takes root.
test-act: build kubernetes packages bin/act
	@test/packages.sh jq:jq git:git ldd:libc-bin
	go test -tags e2e -count=1 -timeout 30m -parallel 8 -v ./test/act

bin/act: test/act/tool/go.mod test/act/tool/go.sum
	cd test/act/tool && CGO_ENABLED=0 go build -o ../../../$@ github.com/nektos/act

# In a network namespace of its own, where no firewall follows a million connections and
# no other program waits for a port: about five minutes. Takes root.
bench: bench-packages bin/fortio
	go build -o bin/bench ./test/bench
	unshare --net sh -c 'ip link set lo up && exec bin/bench -fortio bin/fortio $(BENCH_FLAGS)'

bench-start: build archives
	@test/packages.sh node:nodejs
	go run ./test/start $(START_FLAGS)

bin/fortio: test/bench/fortio/go.mod test/bench/fortio/go.sum
	cd test/bench/fortio && go build -o ../../../$@ fortio.org/fortio

# What samples are held against, and what makes the namespace.
bench-packages:
	@test/packages.sh wrk:wrk ab:apache2-utils ip:iproute2 unshare:util-linux

# A whole rollout, timed and counted, in turns with the same by hand: about a quarter of an hour.
# BENCH_FLAGS are -update, -rounds and -only.
bench-rollout: build kubernetes packages rollout-packages bin/kubectl
	go test -tags e2e -count=1 -timeout 60m -v -run TestCost ./test/cost $(BENCH_FLAGS)

# What a person has: not the lab's, which is all of Kubernetes in one program.
bin/kubectl: lab/node/go.mod lab/node/go.sum
	cd lab/node && GOWORK=off go build -trimpath -buildvcs=false -ldflags "-s -w" -o ../../$@ k8s.io/kubernetes/cmd/kubectl

# What measures, and what a script asks with.
rollout-packages:
	@test/packages.sh time:time nc.openbsd:netcat-openbsd

# Every preset, and every recipe of docs/probes.md, against the real servers: two of each
# behind the kernel's balancer, in network namespaces. Takes root.
servers: bin/l4-canary server-packages
	cd test/servers/health && go build -o ../../../bin/health .
	go test -tags e2e -count=1 -timeout 10m -parallel 6 -v ./test/servers

SERVERS := nginx:nginx-light /usr/lib/nginx/modules/ngx_stream_module.so:libnginx-mod-stream redis-server:redis-server \
  mariadbd:mariadb-server /usr/lib/postgresql/*/bin/postgres:postgresql smtpd:opensmtpd sshd:openssh-server \
  mosquitto:mosquitto memcached:memcached named:bind9 dnsmasq:dnsmasq-base dovecot:dovecot-imapd pop3-login:dovecot-pop3d \
  submission-login:dovecot-submissiond prometheus:prometheus socat:socat nft:nftables ip:iproute2
server-packages:
	@test/packages.sh $(foreach server,$(SERVERS),'$(server)')

# What the tests need beside Go; the lab installs its own.
packages:
	@test/packages.sh curl:curl dockerd:docker.io busybox:busybox-static gcc:gcc /usr/include/stdlib.h:libc6-dev prometheus:prometheus

# Documentation and generated files against the program, which unit does as well; then every
# block of commands in the documentation is run, on clusters where it wants one. Takes root.
verify: build kubernetes $(GOLANGCI)
	@test/packages.sh jq:jq ip:iproute2 ss:iproute2 unshare:util-linux
	go test -count=1 -run 'TestDocs|TestImports' .
	go test -count=1 -run Generated ./internal/config
	go test -tags e2e -count=1 -timeout 20m -parallel 6 -v ./test/docs -golangci $(GOLANGCI)

generate:
	go test ./internal/config -run Generated -update

# The gallery of docs/report.md, as GitHub shows it: from the goldens of internal/report, so
# run its tests with -update first. docs/render has a program for other files and widths.
STATES := promoted-tcp-udp held rolled-back-share rolled-back-errors rolled-back-query rolled-back-crash invalid \
  interrupted refused rollback-failed long-names twenty-stages hostile
# Beside them; of the longest two there is no dark one, for the size of the repository.
NARROW := rolled-back-errors-light-780 rolled-back-errors-light-390 promoted-tcp-udp-dark-780 promoted-tcp-udp-dark-390
pictures: picture-packages
	cd docs/render && npm ci && npm run render -- out $(STATES:%=../../internal/report/testdata/%.md)
	mkdir -p docs/images/report
	for name in $(STATES:%=%-light-1012) $(patsubst %,%-dark-1012,$(filter-out twenty-stages hostile,$(STATES))) $(NARROW); do \
	  pngquant --force --strip --speed 1 --output docs/images/report/$$name.png 64 docs/render/out/$$name.png || exit 1; done

picture-packages:
	@test/packages.sh chromium:chromium npm:npm pngquant:pngquant \
	  '/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf:fonts-noto-color-emoji' '/usr/share/fonts/truetype/liberation*/LiberationSans-Regular.ttf:fonts-liberation'

# Everything of the demo stands in this one command; see docs/demo.md.
demo: build
	bin/lab up
	bin/lab kubectl -- delete namespace seed --ignore-not-found
	bin/lab kubectl -- create namespace seed
	KUBECONFIG="$$(bin/lab kubeconfig)" bin/l4-canary run \
	  --manifests testdata/manifests/seed --namespace seed --stable old-nginx \
	  --stable-pattern '(?m)^old$$' --canary-pattern '(?m)^new$$' \
	  --max-surge 4 --steps 50,80,100 --rate 200 --settle 2s --drain 5s \
	  --report-markdown bin/report.md --report-json bin/report.json
	@echo; cat bin/report.md; echo; echo "The report is in $(CURDIR)/bin/report.md"

demo-down: bin/lab
	bin/lab down

clean:
	rm -rf bin dist
