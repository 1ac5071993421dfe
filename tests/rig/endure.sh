#!/bin/bash
# What the service has to live through: hardly any processor, a second daemon, a lock that a crash left, two signals, an address
# that is taken, a database that is moved away, odd environments, the end of the machine. Run by the rig, inside its guest, as root:
#
#     rig.sh systemd target/release/feedmill tests/rig/endure.sh
#
# It runs twice: the first time it ends by `reboot -ff`, in the middle of its work.
pass=0 fail=0
[ -f /root/counts ] && . /root/counts
good() { pass=$((pass + 1)); echo "ok   $1"; }
bad() { fail=$((fail + 1)); echo "FAIL $1: got '$2', want '$3'"; }
ok() { if [ "$2" = "$3" ]; then good "$1"; else bad "$@"; fi; }
show() { systemctl show feedmill.service -p "$1" --value; }
code() { curl -sS -m 10 -o /dev/null -w '%{http_code}' "http://127.0.0.1:7878$1" 2>/dev/null; }
until_true() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -ge $end ] && return 1; sleep .2; done; }
well() { [ "$(code /healthz)" = 200 ]; }
feedmill() { /usr/bin/feedmill --config /etc/feedmill/feedmill.toml "$@"; }
stories() { curl -s -m 10 "http://127.0.0.1:7878/all.json" | jq '.items | length'; }
publish() {
  { echo '<rss version="2.0"><channel><title>Rig</title><link>http://127.0.0.1:9001/</link>'
    # The newest first: what is new below what is known is an old story.
    for n in $(seq "$1" -1 1); do echo "<item><title>Story $n</title><link>http://127.0.0.1:9001/$n</link><guid>urn:rig:$n</guid></item>"; done
    echo '</channel></rss>'; } >/srv/pub/rss.new
  mv /srv/pub/rss.new /srv/pub/rss.xml
}
mkdir -p /srv/pub /etc/feedmill; touch /srv/calls
cat >/srv/receiver.py <<'PY'
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        with open("/srv/calls", "a") as calls: calls.write(self.headers["webhook-id"] + "\n")
        self.send_response(204); self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 9002), Hook).serve_forever()
PY
python3 -m http.server 9001 --bind 127.0.0.1 --directory /srv/pub >/dev/null 2>&1 &
python3 /srv/receiver.py &
calls() { sort -u /srv/calls | wc -l; }
settled() { [ "$(feedmill webhooks --json | jq '.webhooks[0].due')" = 0 ]; }

if [ "${RIG_BOOT:-1}" != 1 ]; then
  # After the end of the machine (design 10 A17).
  before=$(cat /root/stories)
  until_true 20 curl -sf -o /dev/null http://127.0.0.1:9001/rss.xml
  systemctl start feedmill.service; ok "after reboot -ff it starts" "$?/$(code /healthz)" 0/200
  ok "with every story that it had" "$([ "$(stories)" -ge "$before" ] && echo yes)" yes
  feedmill poll >/dev/null 2>&1; until_true 30 settled
  ok "every story that came last is called about, under one id" "$(($(calls) - $(cat /root/calls)))/$(stories)" 60/260
  ok "and hardly one twice" "$([ "$(sort /srv/calls | uniq -d | wc -l)" -le 8 ] && echo yes)" yes
  [ $fail = 0 ] || journalctl -u feedmill --no-pager -b | tail -40
  echo "$pass passed, $fail failed"
  [ $fail = 0 ]
  exit
fi

cat >/etc/feedmill/feedmill.toml <<'TOML'
[server]
listen = "127.0.0.1:7878"
[poll]
allow_networks = ["127.0.0.0/8"]
schedule = "@every 1s"
min_interval = "1s"
spread = false
first_import = "notify"
[[feed]]
name = "rig"
url = "http://127.0.0.1:9001/rss.xml"
[[stream]]
name = "all"
limit = 1000
notify = ["desk"]
[[webhook]]
name = "desk"
url = "http://127.0.0.1:9002/"
secret = "whsec_dGhpcnR5LXR3byBieXRlcyBvZiBhIHJpZyBzZWNyZXQ="
allow_networks = ["127.0.0.0/8"]
TOML
publish 5; until_true 10 curl -sf -o /dev/null http://127.0.0.1:9001/rss.xml

# Five hundredths of a processor, and others who take all of it (A11).
mkdir -p /etc/systemd/system/feedmill.service.d
printf '[Service]\nCPUQuota=5%%\n' >/etc/systemd/system/feedmill.service.d/rig.conf
systemctl daemon-reload; systemctl start feedmill.service; ok "it starts with a twentieth of a processor" $? 0
hogs=(); for _ in 1 2 3; do sh -c 'while :; do :; done' & hogs+=($!); done
pid=$(show MainPID); publish 200; sleep 75
ok "a slow daemon is not a hung one" "$(show MainPID)/$(show NRestarts)/$(show ActiveState)" "$pid/0/active"
ok "and gets its work done" "$(stories)/$(code /readyz)" 200/200
kill "${hogs[@]}"; rm /etc/systemd/system/feedmill.service.d/rig.conf; systemctl daemon-reload; systemctl restart feedmill.service
until_true 20 well; until_true 60 settled

# A second daemon, in other namespaces too; and a lock that nobody holds any more (A14).
pid=$(show MainPID)
second() { "$@" /usr/bin/feedmill --config /etc/feedmill/feedmill.toml run >/root/second.out 2>&1; echo "$?/$(grep -c "process $pid" /root/second.out)"; }
ok "a second daemon ends at once and names the first" "$(second)" 75/1
ok "in other namespaces too" "$(second unshare --mount --pid --fork)" 75/1
kill -9 "$pid"; until_true 15 well; ok "a lock that a crash left is none" "$(show NRestarts)/$(code /readyz)" 1/200

# Two signals (A8).
begun=$(date +%s%N); pid=$(show MainPID); kill -TERM "$pid"; sleep .1; kill -TERM "$pid" 2>/dev/null
until_true 10 sh -c "! kill -0 $pid"; ok "a second signal hastens it" "$([ $((($(date +%s%N) - begun) / 1000000)) -lt 2500 ] && echo yes)/$(show Result)" yes/success
ok "the database is sound" "$(sqlite3 /var/lib/private/feedmill/feedmill.db 'pragma integrity_check')" ok

# An address that is taken (G7).
socat TCP-LISTEN:7878,bind=127.0.0.1,fork /dev/null & taken=$!; sleep .5
begun=$SECONDS; systemctl start feedmill.service 2>/dev/null; ok "a start on a taken address fails at once" "$([ $? != 0 ] && [ $((SECONDS - begun)) -lt 10 ] && echo yes)" yes
ok "and says which" "$(journalctl -u feedmill -o cat | grep -c 'cannot listen on 127.0.0.1:7878' | awk '{print ($1 > 0)}')" 1
systemctl stop feedmill.service; kill $taken; sleep .5; systemctl reset-failed feedmill.service; systemctl start feedmill.service; until_true 15 well

# Its database is moved away (B16).
systemctl restart feedmill.service; until_true 15 well
mv /var/lib/private/feedmill/feedmill.db /var/lib/private/feedmill/moved.db; restarts=$(show NRestarts)
until_true 60 sh -c "[ \$(systemctl show feedmill -p NRestarts --value) -gt $restarts ]"
ok "a database that is moved away is noticed" "$(journalctl -u feedmill -o cat | grep -c 'moved, replaced or deleted' | awk '{print ($1 > 0)}')" 1
systemctl stop feedmill.service; rm -f /var/lib/private/feedmill/feedmill.db*; mv /var/lib/private/feedmill/moved.db /var/lib/private/feedmill/feedmill.db
systemctl reset-failed feedmill.service; systemctl start feedmill.service; until_true 15 well
ok "and is what it was, put back" "$(stories)" 200

# Odd environments, without systemd (G10, G12).
systemctl stop feedmill.service; mkdir -p /root/odd; sed 's/7878/7979/' /etc/feedmill/feedmill.toml >/root/odd/feedmill.toml
(cd / && umask 000 && exec env -i LISTEN_FDS=1 LISTEN_PID=1 WATCHDOG_USEC=1000 WATCHDOG_PID=1 NOTIFY_SOCKET=/nowhere LC_ALL=xx \
  /usr/bin/feedmill --config /root/odd/feedmill.toml run <&- >&- 2>&-) & odd=$!
until_true 15 curl -sf -o /dev/null http://127.0.0.1:7979/readyz
ok "without HOME, locale and descriptors, with sockets and a watchdog of others" "$(curl -s http://127.0.0.1:7979/readyz)" ready
ok "its database is its owner's" "$(stat -c %a /root/odd/feedmill.db)" 600
ok "no database is descriptor 0, 1 or 2" "$(readlink /proc/$odd/fd/[012] | grep -c 'feedmill.db')" 0
kill $odd; wait $odd 2>/dev/null; ok "and it stops" $? 0

# The end of the machine, in the middle of polls and calls.
systemctl start feedmill.service; until_true 15 well; until_true 60 settled; calls >/root/calls; publish 260
until_true 20 sh -c "[ \$(curl -s http://127.0.0.1:7878/all.json | jq '.items | length') -gt 200 ]"
stories >/root/stories; echo "pass=$pass fail=$fail" >/root/counts
systemctl reboot -ff
sleep 60
