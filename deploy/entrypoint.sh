#!/bin/sh
# Take secrets from the files that NAME_FILE names, then become the command. NEO4J_AUTH_FILE holds user/password, as the
# server's own image reads it, so that both read the same file.
set -eu

for name in DAGSTER_POSTGRES_PASSWORD NEO4J_PASSWORD \
  KG_PIPELINE_EMBEDDING_API_KEY KG_PIPELINE_DESCRIPTION_API_KEY KG_PIPELINE_RERANKER_API_KEY; do
  eval "file=\${${name}_FILE:-}"
  if [ -n "$file" ]; then
    value=$(cat "$file")
    export "$name=$value"
  fi
done
if [ -n "${NEO4J_AUTH_FILE:-}" ]; then
  auth=$(cat "$NEO4J_AUTH_FILE")
  export NEO4J_USERNAME="${auth%%/*}" NEO4J_PASSWORD="${auth#*/}"
fi
exec "$@"
