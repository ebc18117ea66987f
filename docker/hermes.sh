#!/bin/sh
# `hermes` in the gateway's image: exports secrets from files, creates a first config.yaml, then runs the real command.
set -eu
# signal-cli runs as another user and must be able to read the files that Hermes sends.
umask 022

for name in HARDENED_MATTERMOST_TOKEN OPENROUTER_API_KEY OPENAI_API_KEY ANTHROPIC_API_KEY; do
  file=$(printenv "${name}_FILE") || continue
  if [ ! -r "$file" ]; then
    echo "hermes: uid $(id -u) cannot read ${name}_FILE: $file" >&2
    exit 78
  fi
  secret=$(tr -d '\r\n' <"$file")
  if [ -n "$secret" ]; then export "$name=$secret"; fi
done

here=${0%/*}
if [ ! -e "$HERMES_HOME/config.yaml" ]; then cp "$here/config.yaml" "$HERMES_HOME/config.yaml"; fi

PATH=${PATH#"$here:"}
exec hermes "$@"
