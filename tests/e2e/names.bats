#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2016,SC2317 # IP_x come from universe_up, stderr from run; quotes are for others
bats_require_minimum_version 1.5.0
# Names over the network: a is the network's DNS server, b looks names up. No question leaves by the host.

setup_file() {
  load lib.bash
  export NETWORK_JSON
  NETWORK_JSON=$(dual_stack_network)
  universe_up a b
  serve a dns python3 "$TOP/tests/lib/dns_server.py" "$IP_a" "$WORK/questions"
  mkdir "$WORK/www"
  echo content >"$WORK/www/index"
  serve a www python3 -m http.server -d "$WORK/www" --bind 0.0.0.0 80
  universe_api root POST "/controller/network/$NWID" \
    "{\"dns\":{\"domain\":\"test.lan\",\"servers\":[\"$IP_a\"]}}" >/dev/null
  has_dns() { [ "$("$BIN/zerotier-cli" -D"$UNIVERSE/$1" -j listnetworks | jq -r '.[0].dns.domain')" = test.lan ]; }
  wait_for 30 has_dns a
  wait_for 30 has_dns b
  wait_for 20 on b curl -s --noproxy '*' "http://$IP_a/index"
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
  cd "$WORK" || exit
}

py() { # CODE [environment]: as b
  local code=$1
  shift
  on b env "$@" python3 -c "$code"
}

@test "curl and ping find the server by the name that the network's DNS gives it" {
  run -0 --separate-stderr fetch b "http://web.test.lan/index"
  [ "$output" = content ]
  run -0 --separate-stderr fetch b "http://web/index"
  [ "$output" = content ]
  run -0 --separate-stderr on b wget -qO- --no-proxy --timeout=30 http://web.test.lan/index
  [ "$output" = content ]
}

@test "getent, node and python agree" {
  run -0 on b getent ahostsv4 www.test.lan
  [[ "$output" == *"10.77.0.200"*"10.77.0.201"* ]]
  run -0 on b getent ahostsv6 six
  [[ "$output" == *"fd55::1234"* ]]
  if command -v node >/dev/null; then
    run -0 on b node -e 'require("dns").lookup("www.test.lan", {all: true, verbatim: true}, (e, a) => console.log(e, a.map(x => x.address).sort().join()))'
    [[ "$output" == "null 10.77.0.200,10.77.0.201" ]]
  fi
  run -0 py 'import socket; print(sorted(socket.gethostbyname_ex("www.test.lan")[2]), socket.gethostbyname_ex("alias")[0])'
  [ "$output" = "['10.77.0.200', '10.77.0.201'] www.test.lan" ]
}

@test "reverse: the server's, and members by their address" {
  run -0 py 'import socket; print(socket.gethostbyaddr("10.77.0.200")[0], socket.getnameinfo(("10.77.0.200", 80), 0))'
  [ "$output" = "www.test.lan ('www.test.lan', 'http')" ]
  run -0 py "import socket; print(socket.getfqdn('$IP_b'))"
  [ "$output" = "$(universe_address b).test.lan" ]
}

@test "the network's own domain: members by their ten digits, without asking a server" {
  : >questions
  run -0 on b getent ahostsv6 "$(universe_address a).test.lan"
  [[ "$output" == *"$(address6 a fc)"* ]]
  run -0 on b getent ahostsv4 "$(universe_address b)"
  [[ "$output" == "$IP_b "* ]]
  [ ! -s questions ]
}

@test "a program for musl resolves by the same ways" {
  command -v musl-gcc >/dev/null || skip "no musl-gcc (package musl-tools)"
  musl-gcc -o musl "$TOP/tests/e2e/musl.c"
  make -s -C "$TOP" musl
  run -0 "$BIN/zerotier-intercept" -D "$UNIVERSE/b" ./musl "$(universe_address a).test.lan" 1 /
  [ "$output" = "connect: Connection refused" ]
  run -0 "$BIN/zerotier-intercept" -D "$UNIVERSE/b" ./musl no-such-name.test.lan 1 /
  [[ "$output" == "getaddrinfo: "* ]]
}

@test "the controller's node knows its members' names" {
  universe_join root "$NWID" >/dev/null
  universe_api root POST "/controller/network/$NWID/member/$(universe_address b)" '{"name":"berta"}' >/dev/null
  has_it() { on root getent ahostsv4 berta.test.lan | grep -q "^$IP_b "; }
  wait_for 20 has_it
  run -0 on root python3 -c "import socket; print(socket.gethostbyaddr('$IP_b')[0])"
  [ "$output" = berta.test.lan ]
}

@test "a long answer comes over TCP; sixty addresses" {
  : >questions
  run -0 py '
import ctypes
libc = ctypes.CDLL(None)
answer = ctypes.create_string_buffer(65536)
n = libc.res_query(b"big.test.lan", 1, 16, answer, 65536)
print(n > 5000, int.from_bytes(answer.raw[6:8], "big"), libc.res_query(b"text.test.lan", 1, 16, answer, 65536) > 0,
      libc.__res_search(b"text", 1, 16, answer, 65536) > 0, b"hello world" in answer.raw[:200])'
  [ "$output" = "True 20 True True True" ]
  grep -q '^tcp big.test.lan 16' questions
  run -0 py 'import socket; print(len(socket.gethostbyname_ex("many.test.lan")[2]))'
  [ "$output" = 60 ]
}

@test "failures have glibc's codes" {
  run -0 py '
import socket
def what(name, *rest, **flags):
    try: return sorted({a[4][0] for a in socket.getaddrinfo(name, *rest, **flags)})
    except socket.gaierror as e: return [k for k in dir(socket) if k.startswith("EAI_") and getattr(socket, k) == e.errno][0]
print(what("nothing.test.lan", 80), what("six.test.lan", 80, socket.AF_INET), what("broken.test.lan", 80))
print(what("www.test.lan", "no-such-service"), what("www", 80, flags=socket.AI_NUMERICHOST), what(None, None))
print(what("1.2.3.4", 80, socket.AF_INET6), what("1.2.3.4", 80, socket.AF_INET6, flags=socket.AI_V4MAPPED), what("x", 80, 99))
print(what("six.test.lan", 80, flags=socket.AI_CANONNAME), what("b.localhost", 80), what("a.localhost", 80, socket.AF_INET))
print(what(None, 80), what(None, 80, flags=socket.AI_PASSIVE), what("10.77.1", 80), what("fe80::1%lo", 80))
'
  [ "${lines[0]}" = "EAI_NONAME EAI_NODATA EAI_AGAIN" ]
  [ "${lines[1]}" = "EAI_SERVICE EAI_NONAME EAI_NONAME" ]
  [ "${lines[2]}" = "EAI_ADDRFAMILY ['::ffff:1.2.3.4'] EAI_FAMILY" ]
  [ "${lines[3]}" = "['fd55::1234'] ['127.0.0.1', '::1'] ['127.0.0.1']" ]
  [ "${lines[4]}" = "['127.0.0.1', '::1'] ['0.0.0.0', '::'] ['10.77.0.1'] ['fe80::1']" ]
}

@test "a server that is silent is given up, and others are answered meanwhile" {
  on b timeout 60 getent ahostsv4 silent.test.lan 3>&- &
  waiting=$!
  is_asked() { grep -q '^udp silent.test.lan' questions; }
  wait_for 20 is_asked
  run -0 on b getent ahostsv4 www.test.lan
  code=0
  wait "$waiting" || code=$?
  [ "$code" -eq 2 ]
}

@test "ZT_NC_DNS=file asks nobody; so does allowDNS=0" {
  : >questions
  run -2 on b env ZT_NC_DNS=file getent ahostsv4 www.test.lan
  run -0 on b env ZT_NC_DNS=files getent ahostsv4 localhost
  "$BIN/zerotier-cli" -D"$UNIVERSE/b" set "$NWID" allowDNS=0
  run -2 on b getent ahostsv4 www.test.lan
  "$BIN/zerotier-cli" -D"$UNIVERSE/b" set "$NWID" allowDNS=1
  [ ! -s questions ]
  run -0 on b getent ahostsv4 www.test.lan
}

@test "nothing leaks: no socket of the host, no resolv.conf, whatever is asked" {
  for policy in "" vn file; do
    run on b env ZT_NC_DNS="$policy" strace -f -qq -o strace.log -e trace=socket,connect,openat,sendto,sendmmsg \
      getent ahosts no-such-name.example
    [ "$status" -eq 2 ]
    run grep -E 'AF_INET|AF_NETLINK|resolv\.conf|nscd' strace.log
    [ -z "$output" ]
    # without HOME, Python asks nscd for the home directory of its user
    run on b env HOME="$WORK" ZT_NC_DNS="$policy" strace -f -qq -o strace.log -e trace=socket,connect,openat,sendto,sendmmsg \
      python3 -c 'import socket
try: socket.gethostbyaddr("192.0.2.1")
except OSError: pass
try: socket.gethostbyname("www.example.org")
except OSError: pass'
    run grep -E 'AF_INET|AF_NETLINK|resolv\.conf|nscd' strace.log
    [ -z "$output" ]
  done
  # the same program, told to use the host's resolver, does read its settings
  run on b env ZT_NC_DNS=host strace -f -qq -o strace.log -e trace=openat getent ahosts no-such-name.invalid
  grep -qE 'nsswitch|resolv\.conf' strace.log
}

@test "dig and host, which ask by themselves, reach the server" {
  command -v dig >/dev/null || skip "no dig"
  run -0 --separate-stderr on b dig +short +tries=2 "@$IP_a" www.test.lan A
  [ "$(sort <<<"$output")" = $'10.77.0.200\n10.77.0.201' ]
}

@test "the server itself can use its own names" {
  run -0 on a getent ahostsv4 www.test.lan
  [[ "$output" == *"10.77.0.200"* ]]
}

@test "interfaces: lo and the network's, with addresses, MAC and MTU" {
  run -0 py '
import ctypes, socket, fcntl, struct
names = socket.if_nameindex()
zt = names[1][1]
print([n[0] for n in names], names[0][1], zt.startswith("zt"), len(zt), socket.if_nametoindex(zt), socket.if_indextoname(2) == zt)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def ask(request, name): return fcntl.ioctl(s, request, struct.pack("16s240x", name.encode()))
print(socket.inet_ntoa(ask(0x8915, zt)[20:24]), socket.inet_ntoa(ask(0x891b, zt)[20:24]), socket.inet_ntoa(ask(0x8919, zt)[20:24]))
print(ask(0x8927, zt)[18:24].hex(":"), struct.unpack("i", ask(0x8921, zt)[16:20])[0], struct.unpack("i", ask(0x8921, "lo")[16:20])[0])
print(hex(struct.unpack("H", ask(0x8913, zt)[16:18])[0]), struct.unpack("i", ask(0x8933, zt)[16:20])[0])
try: ask(0x8915, "eth0")
except OSError as e: print(e.errno)
try: fcntl.ioctl(s, 0x8914, struct.pack("16s240x", zt.encode()))
except OSError as e: print(e.errno)
'
  [ "${lines[0]}" = "[1, 2] lo True 10 2 True" ]
  [ "${lines[1]}" = "$IP_b 255.255.255.0 10.77.0.255" ]
  mac=$("$BIN/zerotier-cli" -D"$UNIVERSE/b" get "$NWID" mac)
  [ "${lines[2]}" = "$mac 2800 65536" ]
  [ "${lines[3]}" = "0x1043 2" ]
  [ "${lines[4]}" = 19 ]
  [ "${lines[5]}" = 1 ]
}

@test "getifaddrs: node sees the virtual interface and nothing of the host" {
  command -v node >/dev/null || skip "no node"
  run -0 on b node -e '
const all = require("os").networkInterfaces();
console.log(Object.keys(all).length, Object.keys(all)[0]);
const zt = all[Object.keys(all)[1]];
console.log(zt.map(a => a.address).join(" "), zt[0].netmask, zt[0].mac);'
  [ "${lines[0]}" = "2 lo" ]
  [[ "${lines[1]}" == "$IP_b "*"fd77::"*" 255.255.255.0 "* ]]
  [[ "${lines[1]}" == *"$(link_local6 b)"* ]]
}
