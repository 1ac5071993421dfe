#!/bin/bash
# The unit as it is shipped, under a real systemd: starting, serving, polling, calling, reloading, hanging, stopping.
# Run by the rig, inside its guest, as root:
#
#     rig.sh systemd target/release/feedmill tests/rig/start.sh
#
# The guest has /usr/bin/feedmill and the unit; everything else is made here. Prints 'N passed, N failed'.
pass=0 fail=0
good() { pass=$((pass + 1)); echo "ok   $1"; }
bad() { fail=$((fail + 1)); echo "FAIL $1: got '$2', want '$3'"; }
ok() { if [ "$2" = "$3" ]; then good "$1"; else bad "$@"; fi; }
like() { if [[ "$2" == $3 ]]; then good "$1 ($2)"; else bad "$@"; fi; }
show() { systemctl show feedmill.service -p "$1" --value; }
code() { curl -sS -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:7878$1" 2>/dev/null; }
# until_true SECONDS COMMAND…
until_true() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -ge $end ] && return 1; sleep .2; done; }
active() { [ "$(show ActiveState)" = active ]; }

# A publisher, and a receiver that checks the signature with nothing but its own HMAC.
mkdir -p /srv/pub /etc/feedmill
cat >/srv/pub/rss.xml <<'XML'
<rss version="2.0"><channel><title>Rig news</title><link>http://127.0.0.1:9001/</link><description>d</description>
<item><title>A story from the rig</title><link>http://127.0.0.1:9001/1</link><guid>urn:rig:1</guid><description>text</description></item>
</channel></rss>
XML
printf 'whsec_%s' "$(printf 'thirty-two bytes of a rig secret' | base64)" >/etc/feedmill/desk-secret
chmod 600 /etc/feedmill/desk-secret
cat >/srv/receiver.py <<'PY'
import base64, hashlib, hmac, http.server
KEY = b"thirty-two bytes of a rig secret"
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        want = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        right = want in self.headers["webhook-signature"].split(" ")
        with open("/srv/calls", "a") as calls:
            calls.write(f"{self.headers['webhook-id']} {'signed' if right else 'FORGED'} {body.decode()}\n")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 9002), Hook).serve_forever()
PY
python3 -m http.server 9001 --bind 127.0.0.1 --directory /srv/pub >/dev/null 2>&1 &
python3 /srv/receiver.py & touch /srv/calls
cat >/etc/feedmill/feedmill.toml <<'TOML'
[server]
listen = "127.0.0.1:7878"
public_url = "http://127.0.0.1:7878/"
[poll]
allow_networks = ["127.0.0.0/8"]
first_import = "notify"
spread = false
[[feed]]
name = "rig"
url = "http://127.0.0.1:9001/rss.xml"
[[stream]]
name = "all"
notify = ["desk"]
[[webhook]]
name = "desk"
url = "http://127.0.0.1:9002/desk?key=hunter2"
secret = { credential = "desk-secret" }
allow_networks = ["127.0.0.0/8"]
TOML
cp /etc/feedmill/feedmill.toml /root/good.toml
mkdir -p /etc/systemd/system/feedmill.service.d
cat >/etc/systemd/system/feedmill.service.d/rig.conf <<'UNIT'
[Service]
LoadCredential=desk-secret:/etc/feedmill/desk-secret
# Shorter than shipped, so that a hang is seen within this test.
WatchdogSec=3
TimeoutAbortSec=2
UNIT
systemctl daemon-reload
until_true 10 curl -sf -o /dev/null http://127.0.0.1:9001/rss.xml

echo "# $(systemctl --version | head -1)"
ok "systemd-analyze verify says nothing" "$(systemd-analyze verify feedmill.service 2>&1)" ""
score=$(systemd-analyze security --no-pager feedmill.service | sed -n 's/.*exposure level[^:]*: \([0-9.]*\).*/\1/p')
ok "exposure is 1.1 at most (is $score)" "$(awk -v s="$score" 'BEGIN { print (s != "" && s <= 1.1) }')" 1

# Start.
systemctl start feedmill.service; ok "start returns when it is ready" $? 0
ok "it is active" "$(show ActiveState)" active
ok "healthz right after READY" "$(code /healthz)" 200
like "STATUS says something" "$(show StatusText)" "?*"
pid=$(show MainPID)
like "a dynamic user" "$(stat -c %u /proc/"$pid")" "6[1-5]???"
ok "the state directory is the service's alone" "$(stat -c %a /var/lib/private/feedmill)" 700
ok "the control socket is its alone" "$(stat -Lc %a /run/feedmill/control.sock)" 600

# The whole way of an item, out of the sandbox and back.
until_true 60 grep -q signed /srv/calls; ok "a story was polled and a signed call made" "$(grep -c ' signed ' /srv/calls)" 1
until_true 10 curl -sf -o /dev/null http://127.0.0.1:7878/all.atom
ok "it is in the merged feed" "$(curl -s -m 5 http://127.0.0.1:7878/all.atom | grep -c 'A story from the rig')" 1

# The journal.
entries() { journalctl -u feedmill -o json "$@" | jq -r "${filter:-.MESSAGE}"; }
ok "no error in the journal" "$(entries -p err)" ""
like "fields have our prefix" "$(journalctl -u feedmill -o json | grep -c FEEDMILL_)" "[1-9]*"
ok "no secret in the journal" "$(journalctl -u feedmill -o export | grep -cE 'hunter2|rig secret|whsec_')" 0
ok "no secret in the environment" "$(tr '\0' '\n' </proc/"$pid"/environ | grep -cE 'whsec_|rig secret')" 0

# Reload.
systemctl reload feedmill.service; ok "a good reload succeeds" $? 0
ok "the process stays" "$(show MainPID)/$(show ActiveState)" "$pid/active"
printf '\n[server\n' >>/etc/feedmill/feedmill.toml
systemctl reload feedmill.service 2>/dev/null; ok "a bad reload fails" "$([ $? != 0 ] && echo failed)" failed
ok "and changes nothing" "$(show MainPID)/$(show ActiveState)/$(code /healthz)" "$pid/active/200"
cp /root/good.toml /etc/feedmill/feedmill.toml
systemctl reload feedmill.service; ok "and the next good one succeeds" $? 0

# Crash and hang.
kill -9 "$pid"; until_true 15 active; until_true 10 test "$(code /healthz)" = 200
ok "kill -9: started again" "$(show NRestarts)/$(code /healthz)" 1/200
pid=$(show MainPID); kill -STOP "$pid"
until_true 20 sh -c "[ \$(systemctl show feedmill -p NRestarts --value) = 2 ]"; until_true 15 active
ok "a hang: ended by the watchdog and started again" "$(show NRestarts)/$(show ActiveState)" 2/active
ok "the watchdog is named in the journal" "$(journalctl -u feedmill -o cat | grep -c 'Watchdog timeout')" 1
sleep 8; ok "an idle daemon is left alone" "$(show NRestarts)" 2
ok "nobody was called twice" "$(cut -d' ' -f1 /srv/calls | sort | uniq -d)" ""

# Stop, and a start that cannot work.
systemctl stop feedmill.service
ok "a clean stop" "$(show Result)/$(show ExecMainStatus)" success/0
ok "the write-ahead log is gone" "$(ls /var/lib/private/feedmill/*-wal 2>/dev/null)" ""
echo 'nonsense = 1' >/etc/feedmill/feedmill.toml
systemctl start feedmill.service 2>/dev/null; ok "a wrong configuration does not start" "$([ $? != 0 ] && echo refused)" refused
sleep 2; ok "and is not tried again" "$(show ExecMainStatus)/$(systemctl show feedmill -p SubState --value)" 78/failed

[ $fail = 0 ] || journalctl -u feedmill --no-pager | tail -60
echo "$pass passed, $fail failed"
[ $fail = 0 ]
