#!/bin/sh
# Builds smtpsend with the runner's Go: the version asked for, else the source
# that this action came with. Writes its directory to $GITHUB_PATH.
set -eu
dir=${RUNNER_TEMP:?}/smtpsend-bin
mkdir -p "$dir"
export CGO_ENABLED=0
if [ -n "${SMTPSEND_CI_VERSION:-}" ]; then
	GOBIN=$dir go install "github.com/smtpsend/smtpsend/cmd/smtpsend@$SMTPSEND_CI_VERSION"
else
	cd "$GITHUB_ACTION_PATH/../../.."
	go build -o "$dir/" ./cmd/smtpsend
fi
echo "$dir" >>"${GITHUB_PATH:?}"
