#!/bin/sh
# Turns the inputs of the action (INPUT_...) into a call of smtpsend send.
set -eu

# fail MESSAGE [CODE]
fail() {
	echo "::error title=smtpsend::$1"
	exit "${2:-64}"
}

is_true() { case ${1:-} in true | True | TRUE | 1) ;; *) return 1 ;; esac }

# Inputs that would weaken or contradict what smtpsend does.
[ -z "${INPUT_CONNECTION_URL:-}" ] || fail "connection_url is not taken: use server_address, server_port, tenant_id and client_id"
[ -z "${INPUT_PASSWORD:-}" ] || fail "password is not taken: smtpsend logs in with OAuth 2; use tenant_id and client_id, and client_secret or the permission id-token: write"
! is_true "${INPUT_IGNORE_CERT:-}" || fail "ignore_cert is not taken: certificates are always checked; SMTPSEND_CA_FILE adds a root"
[ -z "${INPUT_ENVELOPE_FROM:-}" ] || fail "envelope_from is not taken: the reverse-path is the mailbox"
[ -z "${INPUT_ENVELOPE_TO:-}" ] || fail "envelope_to is not taken: recipients are those of to, cc and bcc"

# setting NAME VALUE exports a setting of smtpsend; an empty value leaves it as
# the environment has it.
setting() { [ -z "$2" ] || export "SMTPSEND_$1=$2"; }
setting MAIL_SERVER "${INPUT_SERVER_ADDRESS:-}"
setting SMTP_PORT "${INPUT_SERVER_PORT:-}"
setting SMTP_USER_NAME "${INPUT_MAILBOX:-${INPUT_USERNAME:-}}"
setting OFFICE_TENANT_ID "${INPUT_TENANT_ID:-}"
setting OFFICE_CLIENT_ID "${INPUT_CLIENT_ID:-}"
setting OFFICE_CLIENT_SECRET "${INPUT_CLIENT_SECRET:-}"
! is_true "${INPUT_SECURE:-}" || setting SMTP_SECURITY 1

[ -n "${INPUT_FROM:-}" ] || fail "from is required"
[ -n "${INPUT_SUBJECT:-}" ] || fail "subject is required"
from=$INPUT_FROM
mailbox=${INPUT_MAILBOX:-${INPUT_USERNAME:-}}
case $from in
*@*) ;;
*) # a name alone, as action-send-mail takes it
	[ -n "$mailbox" ] || fail "from is a name alone: username has to give the address"
	from="$from <$mailbox>"
	;;
esac

set -- --from "$from" --subject "$INPUT_SUBJECT"
[ -z "${INPUT_TO:-}" ] || set -- "$@" --to "$INPUT_TO"
[ -z "${INPUT_CC:-}" ] || set -- "$@" --cc "$INPUT_CC"
[ -z "${INPUT_BCC:-}" ] || set -- "$@" --bcc "$INPUT_BCC"
[ -z "${INPUT_REPLY_TO:-}" ] || set -- "$@" --reply-to "$INPUT_REPLY_TO"
[ -z "${INPUT_IN_REPLY_TO:-}" ] || set -- "$@" --in-reply-to "$INPUT_IN_REPLY_TO"
[ -z "${INPUT_PRIORITY:-}" ] || set -- "$@" --priority "$INPUT_PRIORITY"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# in_workspace INPUT VALUE sets $file to the file that VALUE, file://PATH, names.
# VALUE may be the title of somebody's commit. So PATH is a regular file in the
# workspace, links do not lead out of it, and no part of PATH begins with a dot:
# .git may hold a token. Nothing is opened to find that out. Messages do not
# repeat VALUE, because a line of it could be a command for the runner.
in_workspace() {
	path=${2#file://}
	case $path in
	'' | *[[:cntrl:]]*) fail "$1: the path after file:// is empty, or has a line end in it" 66 ;;
	*\\*) fail "$1: write / and not \\ in the path after file://" 66 ;;
	.* | */.*) fail "$1: no part of the path after file:// may begin with a dot" 66 ;;
	*~[0-9]*) fail "$1: no part of the path after file:// may be a short name with ~" 66 ;;
	esac
	workspace=$(cd -- "${GITHUB_WORKSPACE:-.}" && pwd -P) || fail "the workspace is not a directory" 66
	file=$(realpath -- "$path" 2>/dev/null) || file=
	[ -f "$file" ] || fail "$1: file:// does not name a regular file" 66
	case $file in
	"$workspace"/.* | "$workspace"/*/.*) fail "$1: file:// leads to a part of a path that begins with a dot" 66 ;;
	"$workspace"/*) ;;
	*) fail "$1: file:// leads out of the workspace" 66 ;;
	esac
}
case ${INPUT_BODY:-} in
file://*)
	in_workspace body "$INPUT_BODY"
	set -- "$@" --text-file "$file"
	;;
*) [ -z "${INPUT_BODY:-}" ] || set -- "$@" --text "$INPUT_BODY" ;;
esac
html=${INPUT_HTML_BODY:-}
if [ -n "$html" ]; then
	case $html in
	file://*) in_workspace html_body "$html" ;;
	*)
		file=$dir/body
		printf '%s\n' "$html" >"$file"
		;;
	esac
	if is_true "${INPUT_CONVERT_MARKDOWN:-}"; then
		set -- "$@" --markdown-file "$file"
	else
		set -- "$@" --html-file "$file"
	fi
elif [ -z "${INPUT_BODY:-}" ]; then
	set -- "$@" --text ''
fi

# Files with commas between them; smtpsend knows patterns itself.
rest=${INPUT_ATTACHMENTS:-}
while [ -n "$rest" ]; do
	one=${rest%%,*}
	case $rest in *,*) rest=${rest#*,} ;; *) rest= ;; esac
	one=$(printf '%s' "$one" | sed 's/^[[:space:]]*//; s/[[:space:]]*$//')
	[ -z "$one" ] || set -- "$@" --attach "$one"
done

if [ -n "${INPUT_HEADERS:-}" ]; then
	printf '%s' "$INPUT_HEADERS" | jq -r 'to_entries[] | "\(.key): \(.value)" | if test("[\r\n]") then error("a line break") else . end' \
		>"$dir/headers" || fail "headers is not a JSON object of single lines"
	while IFS= read -r field; do
		set -- "$@" --header "$field"
	done <"$dir/headers"
fi
is_true "${INPUT_DRY_RUN:-}" && set -- "$@" --dry-run
is_true "${INPUT_NODEMAILERLOG:-}" && set -- "$@" --verbose
is_true "${INPUT_NODEMAILERDEBUG:-}" && set -- "$@" --trace

code=0
smtpsend send "$@" </dev/null || code=$?
[ "$code" = 0 ] || fail "smtpsend ended with exit code $code, see above" "$code"
