#!/bin/sh
# archives.sh VERSION COMMIT DATE makes in dist/ what l4-canary.sh fetches: an archive for
# each platform, their checksums, and the list of what they consist of. The same commit
# gives the same bytes.
set -eu
version=$1 commit=$2 date=$3
cd "$(dirname "$0")/.."
rm -rf dist
mkdir -p dist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for platform in linux_amd64 linux_arm64; do
  mkdir "$work/$platform"
  cp LICENSE "$work/$platform/"
  CGO_ENABLED=0 GOOS=linux GOARCH=${platform#*_} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.version=$version -X main.commit=$commit -X main.date=$date" \
    -o "$work/$platform/l4-canary" ./cmd/action
  # The order, the owner and the time of day would make every archive another one.
  tar --sort=name --mtime="$date" --owner=0 --group=0 --numeric-owner -C "$work/$platform" -cf - LICENSE l4-canary |
    gzip --no-name --best >"dist/l4-canary_v${version}_$platform.tar.gz"
done
go tool -modfile=tools/go.mod cyclonedx-gomod bin -json -version "v$version" -output dist/l4-canary.cdx.json "$work/linux_amd64/l4-canary"
cd dist
sha256sum l4-canary_v*.tar.gz >checksums.txt
