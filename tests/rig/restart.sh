#!/bin/bash
# The service under load and under faults: sockets of systemd, restarts that refuse nobody, a disk whose sync fails, a
# journal that stands still, and what the sandbox refuses. Run by the rig, inside its guest, as root:
#
#     rig.sh systemd target/release/feedmill tests/rig/restart.sh
pass=0 fail=0
good() { pass=$((pass + 1)); echo "ok   $1"; }
bad() { fail=$((fail + 1)); echo "FAIL $1: got '$2', want '$3'"; }
ok() { if [ "$2" = "$3" ]; then good "$1"; else bad "$@"; fi; }
show() { systemctl show feedmill.service -p "$1" --value; }
code() { curl -sS -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:7878$1" 2>/dev/null; }
until_true() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -ge $end ] && return 1; sleep .2; done; }
active() { [ "$(show ActiveState)" = active ]; }
well() { [ "$(code /healthz)" = 200 ]; }
feedmill() { /usr/bin/feedmill --config /etc/feedmill/feedmill.toml "$@"; }

mkdir -p /srv/pub /etc/feedmill
story() { echo "<item><title>Story $1</title><link>http://127.0.0.1:9001/$1</link><guid>urn:rig:$1</guid></item>"; }
publish() {
  { echo '<rss version="2.0"><channel><title>Rig</title><link>http://127.0.0.1:9001/</link>'
    for n in $(seq "$1"); do story "$n"; done; echo '</channel></rss>'; } >/srv/pub/rss.new
  mv /srv/pub/rss.new /srv/pub/rss.xml
}
publish 1
python3 -m http.server 9001 --bind 127.0.0.1 --directory /srv/pub >/dev/null 2>&1 &
cat >/etc/feedmill/feedmill.toml <<'TOML'
[server]
listen = "127.0.0.1:7999"
public_url = "http://127.0.0.1:7878/"
[poll]
allow_networks = ["127.0.0.0/8"]
schedule = "@hourly"
spread = false
[[feed]]
name = "rig"
url = "http://127.0.0.1:9001/rss.xml"
TOML
until_true 10 curl -sf -o /dev/null http://127.0.0.1:9001/rss.xml

# Sockets of systemd.
ok "the units are sound" "$(systemd-analyze verify feedmill.service feedmill.socket 2>&1)" ""
systemctl start feedmill.socket
ok "the socket listens and the daemon is not started" "$(show ActiveState)" inactive
ok "the first request starts it and is answered" "$(code /healthz)/$(show ActiveState)" 200/active
ok "[server] listen is not used" "$(ss -Hltn 'sport = :7999' | wc -l)" 0
until_true 20 sh -c 'curl -s http://127.0.0.1:7878/all.json | grep -q "Story 1"'
ok "it polls and publishes" "$(curl -s http://127.0.0.1:7878/all.json | grep -c 'Story 1')" 1

# 200 requests a second over three restarts.
cat >/srv/load.py <<'PY'
import http.client, sys, threading, time
seconds, counts, lock = float(sys.argv[1]), {}, threading.Lock()
end = time.monotonic() + seconds
def ask():
    while time.monotonic() < end:
        begun = time.monotonic()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", 7878, timeout=20)
            connection.request("GET", "/all.atom")
            answer = connection.getresponse()
            answer.read()
            outcome = str(answer.status)
        except Exception as error:
            outcome = type(error).__name__
        finally:
            connection.close()
        with lock:
            counts[outcome] = counts.get(outcome, 0) + 1
        time.sleep(max(0, 0.1 - (time.monotonic() - begun)))
threads = [threading.Thread(target=ask) for _ in range(20)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(" ".join(f"{name}={count}" for name, count in sorted(counts.items())))
PY
python3 /srv/load.py 9 >/srv/load.out &
load=$!
for _ in 1 2 3; do sleep 2; systemctl restart feedmill.service || echo "a restart failed"; done
wait $load
echo "# three restarts under load: $(cat /srv/load.out)"
ok "restarts refuse and reset nobody" "$(sed 's/200=[0-9]* *//' /srv/load.out)" ""
ok "there was load" "$([ "$(sed -n 's/.*200=\([0-9]*\).*/\1/p' /srv/load.out)" -gt 900 ] && echo yes)" yes

# A sync that fails: the process ends, is started again, and has what it had acknowledged.
pid=$(show MainPID); restarts=$(show NRestarts)
strace -f -qq -p "$pid" -o /dev/null -e trace=fsync,fdatasync -e inject=fsync,fdatasync:error=EIO &
tracer=$!
sleep 1; publish 2
feedmill poll >/dev/null 2>&1
until_true 20 sh -c "[ \$(systemctl show feedmill -p NRestarts --value) -gt $restarts ]"
kill $tracer 2>/dev/null
until_true 15 well
ok "EIO of a sync ends the process, and it is started again" "$(show NRestarts)/$(code /readyz)" "$((restarts + 1))/200"
ok "with the status of a failure" "$(journalctl -u feedmill -o cat | grep -c 'status=1/FAILURE')" 1
ok "the journal says why" "$(journalctl -u feedmill -o cat -p err | grep -c 'the daemon ends: .*left alone from now on')" 1
feedmill poll >/dev/null 2>&1
until_true 20 sh -c 'curl -s http://127.0.0.1:7878/all.json | grep -q "Story 2"'
ok "nothing is lost by it" "$(curl -s http://127.0.0.1:7878/all.json | grep -o 'Story [12]' | sort -u | wc -l)" 2
ok "the database is sound" "$(feedmill backup /root/copy.db >/dev/null && sqlite3 /root/copy.db 'pragma integrity_check')" ok
ok "a backup is its owner's" "$(stat -c %a /root/copy.db)" 600

# One part stands still and the others go on: the writer's sync takes for ever. The watchdog is not fed then.
mkdir -p /etc/systemd/system/feedmill.service.d
printf '[Service]\nWatchdogSec=3\nTimeoutAbortSec=2\n' >/etc/systemd/system/feedmill.service.d/rig.conf
systemctl daemon-reload; systemctl restart feedmill.service; until_true 15 well
pid=$(show MainPID); restarts=$(show NRestarts)
strace -f -qq -p "$pid" -o /dev/null -e trace=fsync,fdatasync -e inject=fsync,fdatasync:delay_enter=60000000 &
tracer=$!
until_true 25 sh -c "[ \$(systemctl show feedmill -p NRestarts --value) -gt $restarts ]"
kill -9 $tracer 2>/dev/null; until_true 15 well
ok "a writer that hangs is seen by the watchdog, and it is started again" "$(show NRestarts)/$(code /readyz)" "$((restarts + 1))/200"
ok "the journal names the part" "$(journalctl -u feedmill -o cat | grep -c 'a part of the daemon stands still part=writer' | awk '{print ($1 > 0)}')" 1
ok "it has what it had" "$(curl -s http://127.0.0.1:7878/all.json | grep -o 'Story [12]' | sort -u | wc -l)" 2
sleep 7; ok "and is left alone then" "$(show NRestarts)" "$((restarts + 1))"
rm /etc/systemd/system/feedmill.service.d/rig.conf; systemctl daemon-reload; systemctl restart feedmill.service; until_true 15 well

# A journal that stands still.
journald=$(systemctl show systemd-journald -p MainPID --value); pid=$(show MainPID)
kill -STOP "$journald"
for _ in $(seq 60); do kill -HUP "$pid"; sleep .03; done
ok "with journald stopped the daemon answers" "$(code /healthz)/$(code /readyz)" 200/200
timeout 20 /usr/bin/feedmill --config /etc/feedmill/feedmill.toml reload >/dev/null; ok "and reloads" $? 0
kill -CONT "$journald"; sleep 1
ok "it is the same process" "$(show MainPID)" "$pid"
fields=$(journalctl -u feedmill -o json -n 400 | jq -s 'map(select(.FEEDMILL_TARGET != null and .PRIORITY != null and .CODE_LINE != null)) | length')
ok "entries have their fields" "$([ "$fields" -gt 10 ] && echo yes)" yes
ok "a poll's entry names its feed" "$(journalctl -u feedmill -o json | jq -r 'select(.FEEDMILL_FEED_NAME == "rig") | .SYSLOG_IDENTIFIER' | sort -u)" feedmill

# What the sandbox refuses, tried by a program in the place of the daemon.
cat >/srv/probe.py <<'PY'
import ctypes, mmap, os, socket
def attempt(name, work):
    try:
        work(); print(name, "DONE")
    except BaseException as error:
        print(name, "refused", type(error).__name__, getattr(error, "errno", ""))
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    if getattr(libc, name)(*args) < 0: raise OSError(ctypes.get_errno(), name)
def suid():
    with open("/var/lib/feedmill/suid", "w"): pass
    os.chmod("/var/lib/feedmill/suid", 0o4755)
def others():
    if [p for p in os.listdir("/proc") if p.isdigit() and p != str(os.getpid()) and os.stat("/proc/" + p).st_uid != os.getuid()] == []:
        raise PermissionError(1, "none")
attempt("write-etc", lambda: open("/etc/feedmill/x", "w"))
attempt("write-usr", lambda: open("/usr/x", "w"))
attempt("write-var", lambda: open("/var/lib/x", "w"))
attempt("read-home", lambda: open("/root/copy.db"))
attempt("read-credential-source", lambda: open("/etc/shadow"))
attempt("packet-socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("netlink-socket", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
attempt("raw-socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("user-namespace", lambda: call("unshare", 0x10000000))
attempt("mount", lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None))
attempt("hostname", lambda: call("sethostname", b"x", 1))
attempt("write-execute", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
attempt("set-uid-file", suid)
attempt("ptrace", lambda: call("ptrace", 16, 1, 0, 0))
attempt("processes-of-others", others)
attempt("personality", lambda: call("personality", 8))
attempt("raise-files", lambda: __import__("resource").setrlimit(__import__("resource").RLIMIT_NOFILE, (20000, 20000)))
attempt("OWN-state", lambda: open("/var/lib/feedmill/probe", "w"))
attempt("OWN-runtime", lambda: open("/run/feedmill/probe", "w"))
attempt("OWN-network", lambda: socket.create_connection(("127.0.0.1", 9001)))
PY
systemctl stop feedmill.service feedmill.socket
mkdir -p /run/systemd/system
sed -e 's|^ExecStart=.*|ExecStart=/usr/bin/python3 /srv/probe.py|' -e 's|^Type=.*|Type=oneshot|' -e '/^WatchdogSec/d' -e '/^Restart=/d' \
  -e 's|^NotifyAccess.*|StandardOutput=truncate:/run/probe.out|' /etc/systemd/system/feedmill.service >/run/systemd/system/probe.service
systemctl daemon-reload; systemctl start probe.service
sed 's/^/# /' /run/probe.out
ok "the sandbox refuses all of it" "$(grep -v ^OWN /run/probe.out | grep -c refused)/$(grep -v ^OWN /run/probe.out | grep DONE)" "17/"
ok "and leaves what is the daemon's own" "$(grep ^OWN /run/probe.out | grep -c DONE)" 3

[ $fail = 0 ] || journalctl -u feedmill -u probe --no-pager | grep -v reloaded | tail -60
echo "$pass passed, $fail failed"
[ $fail = 0 ]
