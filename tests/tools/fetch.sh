#!/usr/bin/env bash
# fetch.sh WHAT COMMAND... - run a command that fetches packages. Where it fails for want of the network or of an archive it is
# run again a few times, and at last that is said; where it fails for another reason, it fails at once, and shows its words.
set -u
what=$1
shift
tries=4
words=$(mktemp)
trap 'rm -f "$words"' EXIT
# What apt, mmdebstrap and pip say of a network, a mirror or an index that does not do its part.
passing='Failed to fetch|Unable to connect|Could not (resolve|connect|fetch)|Cannot initiate the connection|Temporary failure'
passing+='|[Tt]imed out|[Tt]imeout|Connection (reset|refused|failed|aborted|broken)|ConnectionError|NewConnectionError'
passing+='|Network is unreachable|IncompleteRead|RemoteDisconnected|SSLError|ProtocolError|HTTP error 5|Hash Sum mismatch'
passing+='|Error reading from server|Undetermined Error|Bad Gateway|Service Unavailable|InRelease is not (yet )?valid'
for n in $(seq "$tries"); do
  status=0
  "$@" >"$words" 2>&1 || status=$?
  [ "$status" != 0 ] || { cat "$words"; exit 0; }
  grep -Eq "$passing" "$words" || break
  if [ "$n" = "$tries" ]; then
    tail -n 20 "$words" >&2
    echo "fetch: $what could not be fetched, $tries times: that is the network's fault or the archive's, not the tree's" >&2
    exit 75 # EX_TEMPFAIL
  fi
  echo "fetch: $what could not be fetched; trying again" >&2
  sleep "$((n * ${FETCH_PAUSE:-5}))"
done
cat "$words" >&2
exit "$status"
