#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# zerotier-idtool against transcript 15 and decision S22. Needs no service.

bats_require_minimum_version 1.5.0

setup() {
  TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  BIN=${BIN:-$TOP}
  PATH="$BIN:$PATH"
  VECTORS="$TOP/tests/vectors"
  cd "$BATS_TEST_TMPDIR" || exit
}

# A ready identity: identity N FILE-PREFIX
identity() {
  python3 - "$VECTORS/identities.json" "$1" "$2" <<'PY'
import json, sys
text = json.load(open(sys.argv[1]))["identities"][int(sys.argv[2])]
open(sys.argv[3] + ".secret", "w").write(text)
open(sys.argv[3] + ".public", "w").write(text.rsplit(":", 1)[0])
PY
}

vector() {
  python3 -c 'import json,sys; print(eval(sys.argv[2], {"v": json.load(open(sys.argv[1]))}), end="")' \
    "$VECTORS/vl1.json" "$1"
}

mode() {
  stat -c %a "$1"
}

@test "without or with an unknown command: help on stdout, exit 1" {
  for arguments in "" bogus validate getpublic sign verify -h; do
    # shellcheck disable=SC2086
    run --separate-stderr zerotier-idtool $arguments
    [ "$status" -eq 1 ]
    [[ "$output" == *"Usage: zerotier-idtool <command> [<args>]"* ]]
    [[ "$output" == *"  verify <identity.secret/public> <file> <signature>"* ]]
    [ -z "$stderr" ]
  done
}

@test "--help and -v: exit 0" {
  run zerotier-idtool --help
  [ "$status" -eq 0 ]
  [[ "$output" == *mkplanet* ]]
  run zerotier-idtool -v
  [ "$status" -eq 0 ]
  [ "$output" = 2.0.0-dev ]
}

@test "initmoon and genmoon without argument: a sentence, exit 2" {
  run --separate-stderr zerotier-idtool initmoon
  [ "$status" -eq 2 ]
  [[ "$stderr" == *identity.public* ]]
  run --separate-stderr zerotier-idtool genmoon
  [ "$status" -eq 2 ]
  [[ "$stderr" == *JSON* ]]
}

@test "generate prints a valid secret without a line end" {
  zerotier-idtool generate >out
  [ "$(wc -l <out)" -eq 0 ]
  [ "$(wc -c <out)" -eq 270 ]
  run zerotier-idtool validate "$(cat out)"
  [ "$status" -eq 0 ]
}

@test "generate writes both files, the secret one 0600, and leaves no other" {
  umask 0
  run zerotier-idtool generate b.secret b.public
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = "b.secret written" ]
  [ "${lines[1]}" = "b.public written" ]
  [ "$(mode b.secret)" = 600 ]
  [ "$(mode b.public)" = 644 ]
  [ "$(zerotier-idtool getpublic b.secret)" = "$(cat b.public)" ]
  # shellcheck disable=SC2012
  [ "$(ls -A | wc -l)" -eq 2 ]
}

@test "generate never replaces a file" {
  identity 0 a
  before=$(cat a.secret)
  run --separate-stderr zerotier-idtool generate a.secret
  [ "$status" -eq 1 ]
  [[ "$stderr" == *"a.secret exists and is not overwritten"* ]]
  run zerotier-idtool generate new.secret a.public
  [ "$status" -eq 1 ]
  [ ! -e new.secret ]
  [ "$(cat a.secret)" = "$before" ]
}

@test "generate into a folder that is not there" {
  run --separate-stderr zerotier-idtool generate nowhere/x
  [ "$status" -eq 1 ]
  [[ "$stderr" == "Error writing to nowhere/x: No such file or directory" ]]
}

@test "generate on a full disk leaves nothing behind" {
  [ -w /dev/full ] || skip "no /dev/full"
  run --separate-stderr bash -c 'zerotier-idtool generate >/dev/full'
  [ "$status" -eq 1 ]
  [[ "$stderr" == *stdout* ]]
}

@test "generate with a vanity prefix" {
  zerotier-idtool generate v.secret v.public 7
  [[ "$(cat v.public)" == 7* ]]
  run zerotier-idtool generate w.secret w.public xyz
  [ "$status" -eq 2 ]
  run zerotier-idtool generate w.secret w.public ffa
  [ "$status" -eq 1 ]
  [ ! -e w.secret ]
}

@test "validate: files, literals, damaged and missing ones" {
  identity 1 b
  for argument in b.public b.secret "$(cat b.public)"; do
    run zerotier-idtool validate "$argument"
    [ "$status" -eq 0 ]
    [ "$output" = "$argument is a valid identity" ]
  done
  # another address; a secret that is not its own; an address that nobody may have
  sed -e 's/^0/1/;t' -e 's/^./0/' b.public >bad.public
  sed -e 's/0$/1/;t' -e 's/.$/0/' b.secret >bad.secret
  sed 's/^../ff/' b.public >reserved.public
  for file in bad.public bad.secret reserved.public; do
    run --separate-stderr zerotier-idtool validate "$file"
    [ "$status" -eq 1 ]
    [ "$stderr" = "$file FAILED validation." ]
    [ -z "$output" ]
  done
  echo nonsense >garbage
  : >empty
  for file in nofile garbage empty; do
    run --separate-stderr zerotier-idtool validate "$file"
    [ "$status" -eq 1 ]
    [ "$stderr" = "Identity argument invalid or file unreadable: $file" ]
  done
}

@test "the vectors' identities validate, the invalid ones do not" {
  run zerotier-idtool validate "$(vector 'v["identities"][0]["secret"]')"
  [ "$status" -eq 0 ]
  run zerotier-idtool validate "$(vector 'v["invalid_identities"][0]["text"]')"
  [ "$status" -eq 1 ]
}

@test "sign and verify, signature literal or in a file" {
  identity 2 b
  identity 3 c
  echo "some text" >f
  zerotier-idtool sign b.secret f >sig
  [ "$(wc -c <sig)" -eq 192 ]
  for signature in sig "$(cat sig)"; do
    run zerotier-idtool verify b.public f "$signature"
    [ "$status" -eq 0 ]
    [ "$output" = "f signature valid" ]
  done
  run --separate-stderr zerotier-idtool verify c.public f sig
  [ "$status" -eq 1 ]
  [ "$stderr" = "f signature check FAILED" ]
  for signature in "$(printf %0192d 0)" "$(head -c 191 sig)" nofile ""; do
    run --separate-stderr zerotier-idtool verify b.public f "$signature"
    [ "$status" -eq 1 ]
    [ "$stderr" = "f signature check FAILED" ]
  done
  echo more >>f
  run zerotier-idtool verify b.public f sig
  [ "$status" -eq 1 ]
}

@test "sign: the reference's signature of the vectors, and its refusals" {
  python3 - "$VECTORS/vl1.json" <<'PY'
import json, sys
v = json.load(open(sys.argv[1]))
secrets = {i["public"]: i["secret"] for i in v["identities"]}
s = next(s for s in v["signatures"] if s["verifies"] and s["public"] in secrets and s["message"])
open("id", "w").write(secrets[s["public"]])
open("message", "wb").write(bytes.fromhex(s["message"]))
open("want", "w").write(s["signature"])
PY
  [ "$(zerotier-idtool sign id message)" = "$(cat want)" ]
  identity 4 b
  run --separate-stderr zerotier-idtool sign b.public message
  [ "$status" -eq 1 ]
  [ "$stderr" = "b.public does not contain a private key (must use private to sign)" ]
  run --separate-stderr zerotier-idtool sign b.secret nofile
  [ "$status" -eq 1 ]
  [ "$stderr" = "nofile is not readable" ]
}

@test "initmoon prints the reference's JSON; genmoon signs it" {
  identity 5 seed
  zerotier-idtool initmoon seed.secret >m.json
  address=$(head -c 10 seed.public)
  [ "$(sed -n 2p m.json)" = " \"id\": \"$address\"," ]
  [ "$(sed -n 3p m.json)" = ' "objtype": "world",' ]
  [ "$(sed -n 4,8p m.json)" = " \"roots\": [
  {
   \"identity\": \"$(cat seed.public)\",
   \"stableEndpoints\": []
  }" ]
  run cat m.json
  [[ "$output" != *"$(cut -d: -f4 seed.secret)"* ]]
  sed -i 's|"stableEndpoints": \[\]|"stableEndpoints": ["10.1.2.3/9993"]|' m.json
  run zerotier-idtool genmoon m.json
  [ "$status" -eq 0 ]
  [[ "$output" =~ ^wrote\ 000000$address\.moon\ \(signed\ world\ with\ timestamp\ ([0-9]+)\)$ ]]
  first=${BASH_REMATCH[1]}
  [ "$(od -An -tx1 -N9 "000000$address.moon" | tr -d ' \n')" = "7f000000$address" ]
  run zerotier-idtool genmoon m.json
  [[ "$output" =~ timestamp\ ([0-9]+) ]]
  [ "${BASH_REMATCH[1]}" -gt "$first" ]
}

@test "initmoon and genmoon refuse with a sentence" {
  run --separate-stderr zerotier-idtool initmoon nofile
  [ "$status" -eq 1 ]
  [ "$stderr" = "nofile is not a valid identity" ]
  run --separate-stderr zerotier-idtool genmoon nofile
  [ "$status" -eq 1 ]
  [ "$stderr" = "cannot read nofile" ]
  identity 6 seed
  zerotier-idtool initmoon seed.public >good.json
  damage() {
    sed "$1" good.json >bad.json
    run --separate-stderr zerotier-idtool genmoon bad.json
    [ "$status" -eq 1 ]
    [[ "$stderr" == *bad.json*"$2"* ]]
  }
  damage 1d "not JSON"
  damage 's/"worldType": "moon"/"worldType": "star"/' worldType
  damage 's/"id": "[0-9a-f]*"/"id": "0"/' "id is not"
  damage 's/"signingKey_SECRET": "./"signingKey_SECRET": "g/' signingKey
  damage 's/"signingKey_SECRET": "......../"signingKey_SECRET": "00000000/' "not a key pair"
  damage 's/"updatesMustBeSignedBy": "./"updatesMustBeSignedBy": "/' updatesMustBeSignedBy
  damage 's/"stableEndpoints": \[\]/"stableEndpoints": ["example.org"]/' stableEndpoint
  damage 's/"identity": "[0-9a-f]/"identity": "g/' identity
  run compgen -G '*.moon'
  [ "$status" -ne 0 ]
}

@test "mkplanet makes key and planet, and updates the planet with the same key" {
  umask 0
  identity 7 r1
  identity 8 r2
  run zerotier-idtool mkplanet --key k --out planet r1.public=127.0.0.1/9993,10.0.0.1/9993
  [ "$status" -eq 0 ]
  [[ "${lines[0]}" == "k written"* ]]
  [[ "${lines[1]}" =~ planet\ ([0-9a-f]{16}),\ 1\ root,\ timestamp\ ([0-9]+) ]]
  id=${BASH_REMATCH[1]} first=${BASH_REMATCH[2]}
  [ "$(mode k)" = 600 ]
  [ "$(mode planet)" = 644 ]
  key=$(cat k)
  run zerotier-idtool mkplanet --out planet r2.secret=10.0.0.2/9993 --key k 'r1.public=fd00::1/9993'
  [ "$status" -eq 0 ]
  [[ "$output" =~ planet\ ([0-9a-f]{16}),\ 2\ roots,\ timestamp\ ([0-9]+) ]]
  [ "${BASH_REMATCH[1]}" = "$id" ]
  [ "${BASH_REMATCH[2]}" -gt "$first" ]
  [ "$(cat k)" = "$key" ]
  run grep -c "$(cut -d: -f4 r2.secret | xxd -r -p | od -An -tx1 | tr -d ' \n')" \
    <(od -An -tx1 -v planet | tr -d ' \n')
  [ "$output" = 0 ]
}

@test "mkplanet reads the captured planet's key file and refuses a foreign planet" {
  identity 9 r
  cp "$TOP/tests/captures/planet-signing-key.hex" k
  cp "$TOP/tests/captures/planet" planet
  chmod u+w k planet
  run zerotier-idtool mkplanet --key k --out planet r.public=10.0.0.1/9993
  [ "$status" -eq 0 ]
  [[ "$output" == *"planet 0000005e5510c0de"* ]]
  before=$(sha256sum planet)
  run --separate-stderr zerotier-idtool mkplanet --key k2 --out planet r.public=10.0.0.1/9993
  [ "$status" -eq 1 ]
  [[ "$stderr" == *"can only be updated with the key that made it"* ]]
  run --separate-stderr zerotier-idtool mkplanet --key k --out planet --id 1 r.public=10.0.0.1/9993
  [ "$status" -eq 1 ]
  [[ "$stderr" == *"has the id 0000005e5510c0de"* ]]
  [ "$(sha256sum planet)" = "$before" ]
}

@test "mkplanet --id" {
  identity 10 r
  run zerotier-idtool mkplanet --key k --out planet --id 12ab r.public=10.0.0.1/9993
  [ "$status" -eq 0 ]
  [[ "$output" == *"planet 00000000000012ab"* ]]
}

@test "mkplanet refuses with a sentence and touches nothing" {
  identity 11 r
  echo "not a key" >notkey
  echo "not a planet" >notplanet
  sed -e 's/^0/1/;t' -e 's/^./0/' r.public >bad
  refused() {
    want=$1
    text=$2
    shift 2
    run --separate-stderr zerotier-idtool mkplanet "$@"
    [ "$status" -eq "$want" ]
    [[ "$stderr" == *"$text"* ]]
  }
  refused 2 "--out is missing" --key k r.public=10.0.0.1/1
  refused 2 "--key is missing" --out planet r.public=10.0.0.1/1
  refused 2 "no root" --key k --out planet
  refused 2 "no value" --key k --out
  refused 2 "unknown option" --key k --what x --out planet r.public=10.0.0.1/1
  refused 2 "--id wants" --key k --out planet --id 0 r.public=10.0.0.1/1
  refused 2 "nothing but --out" --public --key k --out planet
  refused 2 "at most 4" --key k --out planet a=1 b=1 c=1 d=1 e=1
  refused 1 "is not IDENTITY.PUBLIC" --key k --out planet r.public
  refused 1 "not an IP/PORT" --key k --out planet r.public=10.0.0.1
  refused 1 "not an IP/PORT" --key k --out planet r.public=10.0.0.1:9993
  refused 1 "not an IP/PORT" --key k --out planet r.public=10.0.0.1/1,
  refused 1 "not an IP/PORT" --key k --out planet r.public=224.0.0.1/1
  refused 1 "unreadable: nofile" --key k --out planet nofile=10.0.0.1/1
  refused 1 "FAILED validation" --key k --out planet bad=10.0.0.1/1
  refused 1 "given twice" --key k --out planet r.public=10.0.0.1/1 r.public=10.0.0.2/1
  [ ! -e k ]
  refused 1 "not a planet's key file" --key notkey --out planet r.public=10.0.0.1/1
  [ "$(cat notkey)" = "not a key" ]
  refused 1 "exists and is no planet" --key k --out notplanet r.public=10.0.0.1/1
  [ "$(cat notplanet)" = "not a planet" ]
  [ ! -e planet ]
}

@test "mkplanet --public writes the vectors' planet, and not over another universe" {
  run zerotier-idtool mkplanet --public --out planet
  [ "$status" -eq 0 ]
  python3 - "$VECTORS/earth_planet.json" <<'PY'
import json, sys
assert open("planet", "rb").read().hex() == json.load(open(sys.argv[1]))["binary"]
PY
  run zerotier-idtool mkplanet --public --out planet
  [ "$status" -eq 0 ]
  cp "$TOP/tests/captures/planet" other
  chmod u+w other
  run --separate-stderr zerotier-idtool mkplanet --public --out other
  [ "$status" -eq 1 ]
  [[ "$stderr" == *"another universe"* ]]
  cmp other "$TOP/tests/captures/planet"
}

@test "mkplanet writes a planet that the vectors' rules verify" {
  identity 12 r
  zerotier-idtool mkplanet --key k --out planet r.public=10.0.0.1/9993 >/dev/null
  cp planet first
  zerotier-idtool mkplanet --key k --out planet r.public=10.0.0.2/9993 >/dev/null
  python3 - <<'PY'
import hashlib
key = bytes.fromhex(open("k").read())
for name in "first", "planet":
    w = open(name, "rb").read()
    assert w[0] == 1 and w[17:81] == key[:64]
    signed = b"\x7f" * 8 + w[:81] + w[177:] + b"\xf7" * 8
    assert w[81:177][64:] == hashlib.sha512(signed).digest()[:32]
assert open("planet", "rb").read()[9:17] > open("first", "rb").read()[9:17]
PY
}
