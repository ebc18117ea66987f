#!/usr/bin/env bash
# Check that signal-cli can work for an account: signal-health.bash HOST PORT [ACCOUNT]. Uses bash only, because the image
# has no curl. Does not use `/api/v1/check`, which returns 200 as long as the process lives. Does not subscribe to
# `/api/v1/events`, because the gateway would lose whatever the check received.
host=$1 port=$2 account=${3:-}

verdict() {
  echo "$2"
  exit "$1"
}

# call METHOD PARAMS: put the whole HTTP response into $response.
call() {
  local body="{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}" line
  { exec 3<>"/dev/tcp/$host/$port"; } 2>/dev/null || verdict 1 "unhealthy: nobody listens on port $port"
  printf 'POST /api/v1/rpc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
    "${#body}" "$body" >&3
  response=""
  while IFS= read -r -t 20 line <&3 || [[ -n $line ]]; do response+=$line; done
  exec 3>&-
  [[ $response == "HTTP/1.1 200 "* ]] || verdict 1 "unhealthy: $1 is answered with '${response:0:12}'"
  response=${response// /}
}

call listAccounts '{}'
[[ $response =~ \"number\":\"(\+[0-9]+)\" ]] || verdict 1 "unhealthy: no account; link or register one, then restart"
number=${BASH_REMATCH[1]}
[[ $account =~ ^\+[0-9]+$ ]] || account=$number
[[ $response == *"\"number\":\"$account\""* ]] ||
  verdict 1 "unhealthy: HARDENED_SIGNAL_ACCOUNT is not an account of this daemon"

call listDevices "{\"account\":\"$account\"}"
[[ $response == *'"result":'* ]] ||
  verdict 1 "unhealthy: Signal's server cannot be reached, or no longer knows this device"
verdict 0 "healthy"
