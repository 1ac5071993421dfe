#!/bin/bash
# The first hour of a newcomer, as docs/first-hour.md of the installed package tells it: every command in it is run, in its
# order, on a bare Debian, with a publisher and a receiver of our own in place of the world's. Run by the rig:
#
#     RIG_PACKAGES=newsboat rig.sh NO_UNITS target/package/feedmill_VERSION_ARCH.deb tests/rig/hour.sh
pass=0 fail=0
good() { pass=$((pass + 1)); echo "ok   $1"; }
bad() { fail=$((fail + 1)); echo "FAIL $1: got '$2', want '$3'"; }
ok() { if [ "$2" = "$3" ]; then good "$1"; else bad "$@"; fi; }
show() { systemctl show feedmill.service -p "$1" --value; }
code() { curl -sS -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:7878$1" 2>/dev/null; }
until_true() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -ge $end ] && return 1; sleep .2; done; }

# The world: three sites with a page that names a feed, and a receiver.
cat >/srv/world.py <<'PY'
import http.server, threading
class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.path.split("/")[1]
        if self.path.endswith("/feed.xml"):
            kind, body = "application/rss+xml", f"""<rss version="2.0"><channel><title>{site}</title><link>http://127.0.0.1:9001/{site}/</link>
<item><title>Europe and {site}</title><link>http://127.0.0.1:9001/{site}/1</link><guid>{site}-1</guid><description>text</description></item>
<item><title>Else of {site}</title><link>http://127.0.0.1:9001/{site}/2</link><guid>{site}-2</guid><description>text</description></item></channel></rss>"""
        elif self.path == f"/{site}/":
            kind, body = "text/html", f'<!doctype html><head><title>{site}</title><link rel="alternate" type="application/rss+xml" href="feed.xml"></head>'
        else:
            self.send_error(404); return
        self.send_response(200); self.send_header("content-type", kind); self.end_headers(); self.wfile.write(body.encode())
    def log_message(self, *_): pass
class Hook(Site):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        open("/srv/calls", "a").write(self.headers["webhook-id"] + " " + body.decode() + "\n")
        self.send_response(204); self.end_headers()
threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.1", 9002), Hook).serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", 9001), Site).serve_forever()
PY
python3 /srv/world.py & touch /srv/calls
until_true 10 curl -sf -o /dev/null http://127.0.0.1:9001/lwn/

deb=$(ls /rig-deb/*.deb)
apt-get purge -qq -y feedmill >/dev/null 2>&1 || dpkg -P feedmill >/dev/null
rm -f /etc/systemd/system/feedmill.* /etc/systemd/system/closed-network.conf; systemctl daemon-reload
mkdir -p /var/backups

# The guide, one command a line as it is run, after what has to be different here.
cat >/srv/guide.py <<'PY'
import re, subprocess, sys
deb, config = sys.argv[1], "/etc/feedmill/feedmill.toml"
text = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True).stdout
guide = subprocess.run(["tar", "-xO", "./usr/share/doc/feedmill/first-hour.md"], input=text, capture_output=True).stdout.decode()
world = {"https://blog.rust-lang.org/": "http://127.0.0.1:9001/rust/", "https://lwn.net/": "http://127.0.0.1:9001/lwn/",
         "https://www.bbc.com/news": "http://127.0.0.1:9001/bbc/", "https://hooks.example.org/feedmill": "http://127.0.0.1:9002/",
         "./feedmill_0.1.0-1_amd64.deb": deb, "apt install": "dpkg -i", "subscriptions.opml": "/srv/list.opml",
         "feedmill-2026-03-01.db": "$(ls -t /var/backups | head -1)", "QUERY": "europe*"}
blocks, streams = re.findall(r"(?:^    .+\n)+", guide, re.M), {}
ran = failed = 0
def run(command):
    global ran, failed
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    ran += 1
    if done.returncode:
        failed += 1
        print(f"FAIL of the guide: {command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
for block in blocks:
    lines = [line[4:] for line in block.splitlines()]
    if lines[0] == "[Service]":
        subprocess.run(["mkdir", "-p", "/etc/systemd/system/feedmill.service.d"])
        open("/etc/systemd/system/feedmill.service.d/override.conf", "w").write("\n".join(lines) + "\n")
        subprocess.run(["systemctl", "daemon-reload"])
    elif lines[0].startswith("[["):
        table = "\n".join(lines)
        for old, new in world.items(): table = table.replace(old, new)
        if lines[0] == "[[webhook]]": table += '\nallow_networks = ["127.0.0.0/8"]'
        whole, name = open(config).read(), lines[0] + re.search(r'name\s+= (".*")', table)[1]
        whole = whole.replace("\n" + streams[name] + "\n", "") if name in streams else whole
        streams[name] = table
        open(config, "w").write(whole + "\n" + table + "\n")
    elif lines[0].startswith("http"):
        open("/root/urls", "w").write(lines[0] + "\n")
        run("newsboat -u /root/urls -c /root/cache -x reload && newsboat -u /root/urls -c /root/cache -x print-unread | grep '^6 '")
    else:
        for line in lines:
            command = re.split(r" {2,}", line)[0]
            for old, new in world.items(): command = command.replace(old, new)
            if "NAME" in command or "URL" in command:
                command = command.replace("NAME", "127-0-0-1-lwn-feed-xml").replace("URL", "http://127.0.0.1:9001/lwn/1")
            if command == "systemctl edit feedmill": continue
            run(command)
            if command.startswith("dpkg"):
                # The world of this test is at a private address.
                whole = re.sub(r"^allow_networks = \[\]", 'allow_networks = ["127.0.0.0/8"]', open(config).read(), count=1, flags=re.M)
                open(config, "w").write(whole)
                run("systemctl reload feedmill")
            if command.startswith("feedmill add"):
                run("feedmill poll")
print(f"{ran} commands of the guide, {failed} failed")
sys.exit(failed > 0)
PY
python3 /srv/guide.py "$deb"; ok "every command of the guide works" $? 0
ok "the daemon is up, or started by who asks" "$(code /readyz)/$(show ActiveState)" 200/active
ok "three sites were found by their pages" "$(feedmill feeds --json | jq '.feeds | length')" 3
ok "the configuration of the package was left alone by add" "$(grep -c '^\[\[feed\]\]' /etc/feedmill/feedmill.toml)/$(grep -c '^\[\[feed\]\]' /etc/feedmill/feeds.d/added.toml)" 0/3
ok "the stream has what it should" "$(curl -s http://127.0.0.1:7878/europe.json | jq '.items | length')" 3
ok "the test call came, signed by the credential" "$(grep -c . /srv/calls)" 1

# A feed breaks, and one finds out why.
sed -i 's|/lwn/feed.xml|/lwn/wrong.xml|' /etc/feedmill/feeds.d/added.toml
systemctl reload feedmill; ok "a reload follows included files" $? 0
broken=$(feedmill feeds --json | jq -r '.feeds[] | select(.url | contains("wrong")) | .name')
feedmill poll "$broken" >/root/poll.out 2>&1
ok "the poll says why" "$(grep -c 404 /root/poll.out)" 1
ok "and so does the list" "$(feedmill feeds "$broken" | grep -c 404 | sed 's/^[1-9].*/yes/')" yes
# A wrong configuration.
cp /etc/feedmill/feeds.d/added.toml /root/added.toml; echo 'urll = "x"' >>/etc/feedmill/feeds.d/added.toml
said=$(feedmill reload 2>&1); ok "a wrong reload is refused" "$?" 1
ok "with file, line and column" "$(echo "$said" | grep -cE '/etc/feedmill/feeds.d/added.toml:[0-9]+:1')" 1
ok "and the daemon works as before" "$(code /europe.atom)" 200
sed 's|/lwn/wrong.xml|/lwn/feed.xml|' /root/added.toml >/etc/feedmill/feeds.d/added.toml
systemctl reload feedmill; ok "mended" $? 0
# An upgrade: nothing is asked about the configuration that add left alone, the edited one stays.
dpkg-deb -R "$deb" /root/newer && sed -i 's/^Version: .*/Version: 99.0-1/' /root/newer/DEBIAN/control && dpkg-deb --build -Znone /root/newer /root/newer.deb >/dev/null
DEBIAN_FRONTEND=noninteractive dpkg -i /root/newer.deb >/root/upgrade.out 2>&1; ok "it is upgraded" $? 0
until_true 10 test "$(code /readyz)" = 200; until_true 10 curl -sf http://127.0.0.1:7878/readyz
ok "with all that it had" "$(curl -s http://127.0.0.1:7878/all.json | jq '.items | length')" 6
# A backup is put back while the daemon runs: refused; the service's user can read what root restored.
feedmill backup /var/backups/second.db >/dev/null
feedmill restore /var/backups/second.db >/dev/null 2>&1; ok "not while it runs" $? 75
systemctl stop feedmill.service feedmill.socket; feedmill restore /var/backups/second.db >/root/restore.out; ok "when it is stopped" $? 0
systemctl start feedmill; ok "it starts on it" "$?/$(curl -s http://127.0.0.1:7878/all.json | jq '.items | length')" 0/6
ok "nothing of root's is left in its folder" "$(find /var/lib/private/feedmill -user root | wc -l)" 0
feedmill doctor >/root/doctor.out; ok "doctor finds no problem" "$?/$(grep -c PROBLEM /root/doctor.out)" 0/0

[ $fail = 0 ] || { cat /root/poll.out /root/restore.out /root/doctor.out; feedmill check; journalctl -u feedmill --no-pager | tail -30; }
echo "$pass passed, $fail failed"
[ $fail = 0 ]
