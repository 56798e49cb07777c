#!/bin/sh
# Builds smtpsend with the runner's Go: the version asked for, else the source
# that this action came with. Writes its directory to $GITHUB_PATH.
set -eu
# A branch, or whatever is the newest, is other code tomorrow, and that code gets
# the client secret.
version=${SMTPSEND_CI_VERSION:-}
if [ -n "$version" ] && ! printf '%s' "$version" | grep -Eqx 'v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?|[0-9a-f]{40}'; then
	echo "::error title=smtpsend::version is neither a release, such as v1.2.3, nor the 40 digits of a commit"
	exit 64
fi
dir=${RUNNER_TEMP:?}/smtpsend-bin
mkdir -p "$dir"
export CGO_ENABLED=0
if [ -n "$version" ]; then
	GOBIN=$dir go install "github.com/smtpsend/smtpsend/cmd/smtpsend@$version"
else
	cd "$GITHUB_ACTION_PATH/../../.."
	go build -o "$dir/" ./cmd/smtpsend
fi
echo "$dir" >>"${GITHUB_PATH:?}"
