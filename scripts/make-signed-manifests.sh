#!/bin/sh
# Makes the signed schema 1 manifests of testdata/signed, each with a new key that is thrown away:
# schema1-rs256.json, -rs384 and -rs512 have the key as a JWK, schema1-x5c.json has it in a certificate.
# Needs openssl and a POSIX shell.
set -eu
out=$(cd "$(dirname "$0")/../testdata/signed" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
unhex() { tr -d '\n' | sed 's/../\\x&/g' | xargs -0 printf '%b'; }

id=$(printf 'ocify test layer' | openssl dgst -sha256 -r | cut -d ' ' -f 1)
empty=sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4
printf '{\n   "schemaVersion": 1,\n   "name": "test/signed",\n   "tag": "1",\n   "architecture": "amd64",\n   "fsLayers": [{"blobSum": "%s"}],\n   "history": [{"v1Compatibility": "{\\"id\\":\\"%s\\",\\"throwaway\\":true}"}]' \
    "$empty" "$id" > head
printf '\n}' > tail
cat head tail > payload
protected=$(printf '{"formatLength":%d,"formatTail":"%s","time":"2016-01-01T00:00:00Z"}' \
    "$(wc -c < head)" "$(base64url < tail)" | base64url)

# sign HEADER-FIELD KEY FILE BITS
sign() {
    signature=$(printf '%s.%s' "$protected" "$(base64url < payload)" | openssl dgst "-sha$4" -sign "$2" | base64url)
    { cat head; printf ',\n   "signatures": [{"header": {%s, "alg": "RS%s"}, "signature": "%s", "protected": "%s"}]\n}' \
        "$1" "$4" "$signature" "$protected"; } > "$out/$3"
}

for bits in 256 384 512; do
    openssl genrsa -out jwk.pem 2048 2> /dev/null
    modulus=$(openssl rsa -in jwk.pem -noout -modulus | cut -d = -f 2 | unhex | base64url)
    sign "\"jwk\": {\"kty\": \"RSA\", \"n\": \"$modulus\", \"e\": \"AQAB\"}" jwk.pem "schema1-rs$bits.json" "$bits"
done

openssl req -x509 -newkey rsa:2048 -nodes -keyout x5c.pem -out x5c.crt -days 1 -subj /CN=test 2> /dev/null
sign "\"x5c\": [\"$(openssl x509 -in x5c.crt -outform DER | openssl base64 -A)\"]" x5c.pem schema1-x5c.json 256
