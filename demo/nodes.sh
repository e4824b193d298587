#!/usr/bin/env bash
# Two nodes of `sso server` on one Redis, nginx in front of them, and two broker sites, on this machine: what the README says under
# "Running more than one node". Ctrl-C ends all of it.
#
#   demo/nodes.sh [--base-port 8000] [--store postgres://…] [--https] [--https-port 8443]
#
# The server is at the base port, the brokers at the next two, the nodes 11 and 12 above it; a Redis of its own, unless there is a
# --store, 20 above it. With --https nginx also speaks TLS, 443 above it or at the --https-port, with a certificate that it signs itself.
set -euo pipefail
cd "$(dirname "$0")/.."

base=8000 store='' https=false tls=''
while [ $# -gt 0 ]; do
  case $1 in
  --base-port) base=${2:?} && shift 2 ;;
  --store) store=${2:?} && shift 2 ;;
  --https) https=true && shift ;;
  --https-port) https=true tls=${2:?} && shift 2 ;;
  *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0" >&2 && exit 2 ;;
  esac
done
PATH=$PATH:/usr/sbin
programs=(nginx curl setsid)
if [ -z "$store" ]; then programs+=(redis-server); fi
if $https; then programs+=(openssl); fi
for program in "${programs[@]}"; do
  type -P "$program" >/dev/null || { echo "demo/nodes.sh: $program is not installed" >&2 && exit 1; }
done
if [ -z "${SSO_BIN-}" ]; then
  cargo build --package sso-cli
  SSO_BIN=${CARGO_TARGET_DIR:-target}/debug/sso
fi

dir=$(mktemp -d)
pids=()
clean_up() {
  trap '' INT TERM
  # In the reverse order of their start: the store is the last to go.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
  rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 0' INT TERM

# Starts a program, in a session of its own: Ctrl-C is for this script alone, which then ends them one by one.
start() {
  local log=$dir/$1.log
  shift
  setsid "$@" >"$log" 2>&1 &
  pids+=($!)
}

# Whether all that was started goes on.
all_run() {
  local pid
  for pid in "${pids[@]}"; do
    kill -0 "$pid" 2>/dev/null || return 1
  done
}

# Waits until this URL is answered with a good status.
wait_for() {
  local problem="no good answer from $1"
  for ((i = 0; i < 300; i++)); do
    if curl --silent --fail --insecure --output /dev/null --max-time 2 "$1"; then return; fi
    all_run || { problem="a program has ended" && break; }
    sleep 0.1
  done
  echo "demo/nodes.sh: $problem" >&2
  tail -n 5 "$dir"/*.log >&2
  exit 1
}

# What the nodes have in common: the store and its key, and all settings.
(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$dir/store.key")
if [ -z "$store" ]; then
  store=redis://127.0.0.1:$((base + 20))/
  start redis redis-server --bind 127.0.0.1 --port $((base + 20)) --dir "$dir" --save '' --appendonly yes --appendfsync always
fi
url=http://sso.localhost:$base
if $https; then
  tls=${tls:-$((base + 443))}
  url=https://sso.localhost:$tls
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=sso.localhost -addext subjectAltName=DNS:sso.localhost \
    -keyout "$dir/key.pem" -out "$dir/fullchain.pem" 2>/dev/null
fi
alice=http://alice.localhost:$((base + 1)) greg=http://greg.localhost:$((base + 2))
secret() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
alice_secret=$(secret) greg_secret=$(secret)

for number in 1 2; do
  port=$((base + 10 + number))
  start "node$number" env "SSO_PUBLIC_URL=$url" "SSO_LISTEN=127.0.0.1:$port" "SSO_STORE=$store" "SSO_STORE_KEY_FILE=$dir/store.key" \
    "SSO_BROKERS=[{ id = \"Alice\", secret = \"$alice_secret\", origins = [\"$alice\"] }, { id = \"Greg\", secret = \"$greg_secret\", origins = [\"$greg\"] }]" \
    "$SSO_BIN" server --config sso.toml
  wait_for "http://127.0.0.1:$port/readyz"
done

edits=(-e "s/:8000;/:$base;/" -e "s/:8011 /:$((base + 11)) /" -e "s/:8012 /:$((base + 12)) /")
if $https; then
  edits+=(-e 's/^\( *\)#\([a-z]\)/\1\2/' -e "s/ 443 ssl/ 127.0.0.1:$tls ssl/" -e "s/ \[::\]:443 ssl/ [::1]:$tls ssl/" -e "s|/etc/ssl/sso/|$dir/|")
fi
sed "${edits[@]}" demo/nginx.conf >"$dir/nginx.conf"
start nginx nginx -p "$dir" -c "$dir/nginx.conf" -e error.log -g 'daemon off;'
wait_for "$url/readyz"

# Brokers call the server without TLS here, for nobody trusts that certificate. On a network they use its public URL.
broker() {
  local id=$1 site=$2 port=$3
  start "$id" env "SSO_SERVER=$url/attach" "SSO_SERVER_BACKCHANNEL=http://127.0.0.1:$base" "SSO_BROKER_ID=$id" "SSO_BROKER_SECRET=$4" \
    "SSO_BROKER_URL=$site" "$SSO_BIN" broker --listen "127.0.0.1:$port"
  wait_for "http://127.0.0.1:$port/about"
}
broker Alice "$alice" $((base + 1)) "$alice_secret"
broker Greg "$greg" $((base + 2)) "$greg_secret"

cat <<END
The server is at $url, by turns at its two nodes: process ${pids[-5]} and ${pids[-4]}
Alice is at $alice, Greg at $greg; log in as jackie with the password jackie123
Logs are in $dir. Kill a node, and nobody notices. Ctrl-C ends all of it.
END
wait
