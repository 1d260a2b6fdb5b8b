#!/bin/sh
# packages.sh TOOL:PACKAGE... installs the Debian packages whose tools are missing. A tool
# is a command, or a pattern of files. No service is started: a policy of our own forbids
# it meanwhile, and what was there before is put back.
set -eu
PATH="$PATH:/usr/sbin:/usr/lib/dovecot"
policy=/usr/sbin/policy-rc.d

missing=""
for entry in "$@"; do
	tool="${entry%%:*}"
	# shellcheck disable=SC2086 # a tool with a slash is a pattern of files
	case "$tool" in
	/*) ls $tool >/dev/null 2>&1 ;;
	*) command -v "$tool" >/dev/null ;;
	esac || missing="$missing ${entry##*:}"
done
[ -n "$missing" ] || exit 0

echo "installing$missing"
kept="$(mktemp)" had=""
if [ -e $policy ]; then cp -a $policy "$kept" && had=1; fi
trap 'if [ -n "$had" ]; then cp -a "$kept" $policy; else rm -f $policy; fi; rm -f "$kept"' EXIT
printf '#!/bin/sh\nexit 101\n' >$policy
chmod 755 $policy
apt-get update -qq
# shellcheck disable=SC2086 # each word of it is a package
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
