#!/usr/bin/env bash
# The API with nothing but curl: what is dealt in, what is on offer, what a statistic would cost, and how a failure looks.
#   ./emr serve --demo            in another terminal
#   docs/examples/quickstart.sh
set -euo pipefail
api="${EMR_SERVER:-http://127.0.0.1:5080}/api/v1"

# One value out of JSON that is as flat as these answers; a program would use a parser.
value() { sed -E "s/.*\"$1\":\"?([^\",}]*).*/\1/"; }

schema=$(curl -sS --fail-with-body "$api/schemas" | sed -E 's/.*"id":"([0-9a-f]{64})","name":"synthetic".*/\1/')
echo "schema synthetic has id $schema"

catalogue=$(curl -sS --fail-with-body "$api/catalogue/$schema")
echo "$(printf %s "$catalogue" | sed -E 's/.*"schemaName":[^,]*,"block":[0-9]+,"records":([0-9]+).*/\1/') records on offer"

# The same answer is not sent twice: the second call comes back with 304 and no body.
tag=$(curl -sS -o /dev/null -D - "$api/problems" | tr -d '\r' | sed -n 's/^[Ee][Tt][Aa][Gg]: //p')
echo "asked again with its ETag: $(curl -sS -o /dev/null -w '%{http_code}' -H "If-None-Match: $tag" "$api/problems")"

plan=$(curl -sS --fail-with-body -H 'Content-Type: application/json' -d "{\"schemaId\":\"$schema\",\"statistic\":\"mean:length_of_stay\",\"records\":200}" "$api/plans")
echo "recommended grade $(printf %s "$plan" | value recommended)"

# Failures are problems of RFC 9457: type, what failed, and how to mend it.
problem=$(curl -sS "$api/catalogue/$(printf '0%.0s' {1..64})")
echo "problem $(printf %s "$problem" | value type): $(printf %s "$problem" | value fix)"
