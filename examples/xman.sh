#!/bin/sh
# xman.sh HOST PORT list | VERB DOMAIN | follow SECONDS - a client in shell, on Debian's remctl (remctl-client).
set -eu
host=$1 port=$2 verb=$3

case $verb in
  list) # names out of the JSON; with jq it would be: jq -r '.result.domains[].name'
    listed=$(remctl -p "$port" "$host" list --json --) || exit # a pipe would hide the status
    printf '%s\n' "$listed" | grep -o '"name":"[^"]*"' | cut -d'"' -f4
    exit ;;
  follow)
    exec remctl -p "$port" "$host" events --follow --json "--timeout=$4" -- ;;
esac

# The same id in each try: the host acts once, and answers a later try with what it did.
rid=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
for try in 1 2 3; do
  status=0
  remctl -p "$port" "$host" "$verb" "--rid=$rid" -- "$4" || status=$?
  # 10: the outcome is not known. 255: remctl's own, the connection was lost.
  case $status in 10 | 255) sleep 1 ;; *) exit $status ;; esac
done
exit 10
