#!/bin/sh
# The host action's two steps: this finds the program, or makes it, and becomes it, so
# that the runner's signals reach the program and no shell stays between them.
#
#   l4-canary.sh run    the step itself
#   l4-canary.sh post   what comes after it, whatever became of it
#
# A release has checksums.txt beside this file: its program is downloaded and held
# against that. A checkout without it is built with the runner's Go. All values come by
# the environment; no workflow's text is ever a part of this one.
set -eu

here=$(CDPATH="" cd "$(dirname "$0")" && pwd)
checksums=$here/checksums.txt
releases=${CANARY_RELEASES:-https://github.com/org/l4-canary/releases/download}
cache=${RUNNER_TEMP:?RUNNER_TEMP is not set: the host action needs a runner}/l4-canary

# Nothing was changed: the program's own status for that.
fail() {
  printf '::error title=l4-canary::%s\n' "$1"
  exit 2
}

# locate says in $program where the program of this checkout is, or will be, or in
# $problem why there cannot be any.
locate() {
  problem=''
  if [ ! -e "$checksums" ]; then
    program=$cache/source/l4-canary
    return
  fi
  [ "$(uname -s)" = Linux ] || problem="there is no released program for $(uname -s): use a Linux runner"
  case $(uname -m) in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) arch=unknown problem="there is no released program for $(uname -m): use an x86-64 or ARM64 runner" ;;
  esac
  line=$(grep "  l4-canary_v[0-9.]*_linux_$arch\.tar\.gz\$" "$checksums") ||
    problem=${problem:-host/checksums.txt has no line for linux on $arch: the release is broken}
  sum=${line%% *}
  archive=${line##* }
  program=$cache/$sum/l4-canary
}

# fetch downloads the released program. Only what has the checksum is unpacked, and nothing
# stays of what is not run.
fetch() {
  version=${archive#l4-canary_}
  version=${version%%_*}
  mkdir -p "$cache"
  folder=$(mktemp -d "$cache/XXXXXX")
  trap 'rm -rf "$folder"' EXIT
  url=$releases/$version/$archive
  echo "downloading $url"
  if command -v curl >/dev/null 2>&1; then
    curl --fail --silent --show-error --location --retry 3 --output "$folder/$archive" "$url" ||
      fail "downloading $url failed"
  else
    wget -q -O "$folder/$archive" "$url" || fail "downloading $url failed"
  fi
  got=$(sha256sum "$folder/$archive")
  [ "${got%% *}" = "$sum" ] ||
    fail "$url has the SHA-256 checksum ${got%% *}, and host/checksums.txt says $sum: it is not run"
  tar -xzf "$folder/$archive" -C "$folder" l4-canary || fail "unpacking $archive failed"
  mkdir -p "$cache/$sum"
  mv "$folder/l4-canary" "$program"
  rm -rf "$folder" # the trap is not for a shell that becomes another program
}

# build makes the program of a checkout. What the job says of Go is about the job's own
# code, so it does not count here.
build() {
  command -v go >/dev/null 2>&1 ||
    fail 'this is the source of the action and no release, and there is no Go on this runner to build it: put actions/setup-go with go-version 1.26 before this step, or use a release'
  echo "building l4-canary from source"
  (cd "$here/.." && GOFLAGS='' GOOS='' GOARCH='' GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$program" ./cmd/action) ||
    fail 'building l4-canary failed'
}

case ${1:-} in
  run)
    locate
    [ -z "$problem" ] || fail "$problem"
    if [ ! -e "$checksums" ]; then
      build
    elif [ ! -x "$program" ]; then
      fetch
    fi
    # The second step looks for what a run by this name left.
    if [ -n "${GITHUB_OUTPUT:-}" ]; then
      printf 'step=%s\n' "${GITHUB_ACTION:-}" >>"$GITHUB_OUTPUT"
    fi
    exec "$program"
    ;;
  post)
    locate
    if [ -n "$problem" ] || [ ! -x "$program" ]; then
      echo 'nothing to finish: the program never began'
      exit 0
    fi
    exec "$program" post
    ;;
  *)
    fail 'usage: l4-canary.sh run or post'
    ;;
esac
