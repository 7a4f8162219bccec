#!/usr/bin/env bash
# The key of an image's topmost layer, as the line `key=…` in $GITHUB_OUTPUT. What is asked for is in KEY_REF or KEY_METADATA
# (and KEY_TARGET), KEY_PLATFORM and KEY_KIND: action.yml says what they are. Without a key there is no line.
set -euo pipefail

fail() {
  printf '::error::cache-key: %s\n' "$1" >&2
  exit "${2:-1}"
}

: "${GITHUB_OUTPUT:?is where the key goes: this is a step of a GitHub action}"

# Values are parts of their options, and a reference comes after --: none can be taken for an option.
words=(layers --last "--key=${KEY_KIND:-chain-id}")
if [ -n "${KEY_PLATFORM:-}" ]; then
  words+=("--platform=$KEY_PLATFORM")
fi
case "${KEY_REF:+ref}${KEY_METADATA:+metadata}" in
  ref)
    [ -z "${KEY_TARGET:-}" ] || fail "target is a target of a metadata file, and none is given" 2
    words+=(-- "$KEY_REF")
    ;;
  metadata) words+=("--metadata=$KEY_METADATA${KEY_TARGET:+#$KEY_TARGET}") ;;
  *) fail "give one of ref and metadata" 2 ;;
esac

status=0
key=$(portolan "${words[@]}") || status=$?
[ "$status" -eq 0 ] || fail "portolan ${words[*]@Q} failed; it says why above" "$status"

# Of several images there is a line for each, which starts with its platform.
case "$key" in
  *$'\t'*) fail "there are several images; give the platform of one: $(cut -f 1 <<<"$key" | paste -sd ' ')" ;;
esac
[[ "$key" =~ ^[a-z0-9]+:[0-9a-f]+$ ]] || fail "portolan printed no key: ${key@Q}"

printf 'key=%s\n' "$key" >>"$GITHUB_OUTPUT"
printf '%s\n' "$key"
