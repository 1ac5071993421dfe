#!/bin/bash
# The package on a bare Debian: installed, upgraded under load, removed, purged. Run by the rig, which installs it first:
#
#     rig.sh systemd target/package/feedmill_VERSION_ARCH.deb tests/rig/package.sh
#
# The rig lays the units into /etc/systemd/system, which must not hide those of the package.
pass=0 fail=0
good() { pass=$((pass + 1)); echo "ok   $1"; }
bad() { fail=$((fail + 1)); echo "FAIL $1: got '$2', want '$3'"; }
ok() { if [ "$2" = "$3" ]; then good "$1"; else bad "$@"; fi; }
show() { systemctl show feedmill.service -p "$1" --value; }
code() { curl -sS -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:7878$1" 2>/dev/null; }
until_true() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -ge $end ] && return 1; sleep .1; done; }

deb=$(ls /rig-deb/*.deb)
# As on a machine that has never seen it.
apt-get purge -qq -y feedmill >/dev/null 2>&1 || dpkg -P feedmill >/dev/null
rm -f /etc/systemd/system/feedmill.service /etc/systemd/system/feedmill.socket /etc/systemd/system/closed-network.conf
systemctl daemon-reload; systemctl reset-failed 2>/dev/null
ok "nothing of it is there" "$(ls -d /usr/bin/feedmill /etc/feedmill /var/lib/feedmill /var/lib/private/feedmill 2>/dev/null)" ""

dpkg -i "$deb" >/dev/null 2>&1; ok "it installs" $? 0
begun=$(date +%s%N)
until_true 5 test "$(code /healthz)" = 200 || until_true 5 sh -c 'curl -sf http://127.0.0.1:7878/healthz'
echo "# it answered $(((($(date +%s%N) - begun)) / 1000000)) ms after the installation"
ok "it serves within 5 s" "$(code /healthz)/$([ $((($(date +%s%N) - begun) / 1000000)) -lt 5000 ] && echo yes)" 200/yes
ok "it is enabled and runs" "$(systemctl is-enabled feedmill.service)/$(show ActiveState)" enabled/active
ok "the unit is the package's" "$(show FragmentPath | sed 's|^/usr||')" /lib/systemd/system/feedmill.service
ok "systemd finds no fault in it" "$(systemd-analyze verify /lib/systemd/system/feedmill.service /lib/systemd/system/feedmill.socket 2>&1)" ""
ok "the configuration is good" "$(feedmill check >/dev/null 2>&1; echo $?)" 0
ok "it asks nobody that it was not told to ask" "$(feedmill check | grep -c ': 0 feeds')" 1
ok "it is a conffile" "$(dpkg-query -W -f '${Conffiles}' feedmill | awk '{print $1}')" /etc/feedmill/feedmill.toml
ok "there are pages of the manual" "$(dpkg -L feedmill | grep -c 'man1/feedmill.*\.1\.gz')" "$(($(feedmill --help | sed -n '/^Commands:/,/^$/p' | grep -c '^  [a-z]') + 1 + $(dpkg -L feedmill | grep -c 'man1/feedmill-[a-z]*-[a-z]*\.1\.gz')))"
ok "bash completes it" "$(bash -c 'source /usr/share/bash-completion/completions/feedmill && complete -p feedmill' | grep -c _feedmill)" 1
ok "it depends on little" "$(dpkg-query -W -f '${Depends}' feedmill | tr ',' '\n' | sed 's/ *(.*//; s/ //g' | grep -vx 'libc6\|libgcc-s1')" ""
ok "every file is as it was packed" "$(dpkg -V feedmill)" ""

# An upgrade under load, with the socket held by systemd, and a configuration that was edited.
systemctl stop feedmill.service; systemctl enable -q --now feedmill.socket; systemctl start feedmill.service
echo '# mine' >>/etc/feedmill/feedmill.toml
dpkg-deb -R "$deb" /root/newer && sed -i 's/^Version: .*/Version: 99.0-1/' /root/newer/DEBIAN/control && dpkg-deb --build -Znone /root/newer /root/newer.deb >/dev/null
pid=$(show MainPID)
cat >/srv/load.py <<'PY'
import http.client, threading, time
counts, lock, end = {}, threading.Lock(), time.monotonic() + 8
def ask():
    while time.monotonic() < end:
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", 7878, timeout=20)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse(); answer.read(); outcome = str(answer.status)
        except Exception as error:
            outcome = type(error).__name__
        finally:
            connection.close()
        with lock: counts[outcome] = counts.get(outcome, 0) + 1
        time.sleep(max(0, 0.1 - (time.monotonic() - begun)))
threads = [threading.Thread(target=ask) for _ in range(20)]
[t.start() for t in threads]; [t.join() for t in threads]
print(" ".join(f"{name}={count}" for name, count in sorted(counts.items())))
PY
python3 /srv/load.py >/srv/load.out & load=$!
sleep 2; dpkg -i /root/newer.deb >/dev/null 2>&1; ok "an upgrade goes through" $? 0
wait $load
echo "# the upgrade under load: $(cat /srv/load.out)"
ok "it refused and reset nobody" "$(sed 's/200=[0-9]* *//' /srv/load.out)" ""
ok "the new program runs" "$([ "$(show MainPID)" != "$pid" ] && [ "$(show MainPID)" != 0 ] && echo yes)" yes
ok "the edited configuration was kept" "$(tail -1 /etc/feedmill/feedmill.toml)" "# mine"
ok "the socket stays enabled" "$(systemctl is-enabled feedmill.socket)" enabled

# Removed: the data stay. Purged: nothing does.
dpkg -r feedmill >/dev/null 2>&1; ok "it is removed" $? 0
ok "it runs no more" "$(code /healthz)" 000
ok "the database and the configuration stay" "$(ls /var/lib/private/feedmill/feedmill.db /etc/feedmill/feedmill.toml 2>&1 | wc -l)/$(ls /var/lib/private/feedmill/feedmill.db 2>/dev/null)" 2//var/lib/private/feedmill/feedmill.db
dpkg -i "$deb" >/dev/null 2>&1; until_true 10 sh -c 'curl -sf http://127.0.0.1:7878/healthz'
ok "installed again it goes on" "$(code /healthz)" 200
dpkg -P feedmill >/dev/null 2>&1; ok "it is purged" $? 0
ok "nothing is left of it" "$(find / -xdev -path /proc -prune -o -path /root -prune -o -path /rig-deb -prune -o -path /rig -prune -o -name '*feedmill*' -print 2>/dev/null | grep -v '^/sys\|/var/log\|/tmp')" ""

[ $fail = 0 ] || journalctl -u feedmill --no-pager | tail -40
echo "$pass passed, $fail failed"
[ $fail = 0 ]
