"""Other people's programs against a running Feedmill: newsboat, feedparser, xmllint, standardwebhooks.

    peers.py PATH-OF-FEEDMILL

A publisher and a receiver on the loopback, the real daemon between them. Ends with `N passed, N failed`.
"""

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import feedparser
from cloudevents.v1.http import from_json as cloudevents
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_cGVlcnMtcGVlcnMtcGVlcnMtcGVlcnMtcGVlcnM="
NEWER = "whsec_bmV3ZXItcGVlcnMtbmV3ZXItcGVlcnMtbmV3ZXI="
FEED = """<?xml version="1.0"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Pier &amp; quay</title>
<link>https://pier.example/</link><description>d</description>
%s</channel></rss>"""
ITEM = """<item><title>%s</title><link>https://pier.example/2026/%s?utm_source=x</link><guid isPermaLink="false">pier-%s</guid>
<pubDate>Mon, 02 Mar 2026 0%s:00:00 GMT</pubDate><dc:creator>Ada</dc:creator><category>harbour</category>
<description>&lt;p&gt;Text &amp;amp; more of %s, &lt;a href="/rel"&gt;a link&lt;/a&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;/p&gt;</description></item>"""

passed = failed = 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok    " if good else "FAILED ") + what + ("" if good else ": %s" % (detail,)))


class State:
    items = [("First & foremost <b>bold</b>", "one", "1"), ("Quiet second", "two", "2")]
    calls, shaped, lock = [], {}, threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        import html
        rows = "".join(ITEM % (html.escape(html.escape(t)), slug, slug, n, slug) for t, slug, n in State.items)
        self.reply(200, (FEED % rows).encode(), "application/rss+xml")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with State.lock:
            if self.path != "/hook":
                State.shaped[self.path] = body.decode()
                return self.reply(204)
            State.calls.append((dict(self.headers.items()), body))
            first = len(State.calls) == 1
        self.reply(500 if first else 204)


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait(what, ready, seconds=20):
    for _ in range(seconds * 10):
        try:
            if ready():
                return True
        except OSError:
            pass
        time.sleep(0.1)
    check(what, False, "not within %d s" % seconds)
    return False


def get(url):
    return urllib.request.urlopen(url, timeout=10).read()


def main(feedmill):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin, listen = server.server_port, port()
    base = "http://127.0.0.1:%d/" % listen
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "feedmill.toml")
        with open(config, "w") as f:
            f.write(f"""
[server]
listen = "127.0.0.1:{listen}"
public_url = "{base}"
[poll]
schedule = "@every 1s"
spread = false
min_interval = "1s"
allow_networks = ["127.0.0.0/8"]
first_import = "notify"
[[feed]]
name = "pier"
url = "http://127.0.0.1:{origin}/feed"
[[stream]]
name = "second"
match = "quiet"
notify = ["desk", "teams", "cloudevents"]
[[webhook]]
name = "desk"
url = "http://127.0.0.1:{origin}/hook"
secret = ["{NEWER}", "{SECRET}"]
allow_networks = ["127.0.0.0/8"]
retry = ["1s", "1s"]
""")
            for name in ("teams", "cloudevents"):
                f.write(f"""[[webhook]]
name = "{name}"
url = "http://127.0.0.1:{origin}/{name}"
format = "template"
template = "{name}"
allow_networks = ["127.0.0.0/8"]
""")
        daemon = subprocess.Popen([feedmill, "--config", config, "run"], stderr=subprocess.DEVNULL)
        try:
            run_checks(base, folder, daemon)
        finally:
            daemon.send_signal(signal.SIGTERM)
            check("the daemon ends with 0", daemon.wait(30) == 0, daemon.returncode)
    print("\n%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


def run_checks(base, folder, daemon):
    if not wait("the items are there", lambda: b"First" in get(base + "all.atom")):
        return
    for form in ("atom", "rss", "json"):
        body = get(base + "all." + form)
        if form == "json":
            # feedparser 6 reads no JSON Feed: the standard's own rules instead.
            problems = json_feed_problems(json.loads(body))
            check("all.json keeps every MUST of JSON Feed 1.1", not problems, problems)
            check("all.json holds both stories", len(json.loads(body)["items"]) == 2)
        else:
            read = feedparser.parse(base + "all." + form)
            check(f"feedparser reads all.{form} without bozo", not read.bozo, read.get("bozo_exception"))
            check(f"feedparser finds both stories in all.{form}", len(read.entries) == 2, len(read.entries))
        check(f"no script in all.{form}", b"alert(1)" not in body and b"<script" not in body)
        if form != "json":
            linted = subprocess.run(["xmllint", "--noout", "-"], input=body, capture_output=True)
            check(f"xmllint accepts all.{form}", linted.returncode == 0, linted.stderr[:300])
    newsboat(base, folder)
    webhooks()
    templates()


def json_feed_problems(feed):
    """The MUSTs of https://www.jsonfeed.org/version/1.1/ that a document can break."""
    url = lambda v: isinstance(v, str) and v.startswith(("http://", "https://"))
    date = lambda v: isinstance(v, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", v))
    problems = []
    if feed.get("version") != "https://jsonfeed.org/version/1.1":
        problems.append("version")
    problems += [k for k in ("title",) if not isinstance(feed.get(k), str)]
    problems += [k for k in ("home_page_url", "feed_url", "next_url") if k in feed and not url(feed[k])]
    ids = [item.get("id") for item in feed["items"]]
    if len(set(ids)) != len(ids) or not all(isinstance(i, str) and i for i in ids):
        problems.append("ids")
    for item in feed["items"]:
        if not ("content_html" in item or "content_text" in item):
            problems.append("content of %s" % item["id"])
        problems += [k for k in ("url", "external_url", "image") if k in item and not url(item[k])]
        problems += [k for k in ("date_published", "date_modified") if k in item and not date(item[k])]
        problems += ["author" for a in item.get("authors", []) if not {"name", "url", "avatar"} & set(a)]
        problems += ["attachment" for a in item.get("attachments", []) if not (url(a.get("url")) and a.get("mime_type"))]
        problems += ["extension " + k for k in item if k.startswith("_") and not isinstance(item[k], dict)]
    return problems


def newsboat(base, folder):
    urls, cache, conf = (os.path.join(folder, n) for n in ("urls", "cache.db", "config"))
    with open(urls, "w") as f:
        f.write(base + "all.atom\n")
    open(conf, "w").close()
    boat = ["newsboat", "-u", urls, "-c", cache, "-C", conf]
    count = lambda: subprocess.run(boat + ["-x", "print-unread"], capture_output=True, text=True, timeout=60).stdout
    env_home = dict(os.environ, HOME=folder)
    subprocess.run(boat + ["-x", "reload"], capture_output=True, timeout=60, env=env_home)
    check("newsboat subscribes and sees two stories", count().startswith("2 "), count())
    State.items.insert(0, ("Third", "three", "3"))
    State.items[1] = ("First, corrected", "one", "1")
    wait("the edit is published", lambda: b"corrected" in get(base + "all.atom") and b"Third" in get(base + "all.atom"))
    subprocess.run(boat + ["-x", "reload"], capture_output=True, timeout=60, env=env_home)
    check("newsboat sees one story more after an edit and a new one", count().startswith("3 "), count())


def templates():
    """What the shipped templates make, read by the libraries of those who take it."""
    if not wait("the calls of templates", lambda: len(State.shaped) >= 2):
        return
    try:
        event = cloudevents(State.shaped["/cloudevents"])
        check("cloudevents of PyPI reads the event", event["type"] == "org.feedmill.item.new", event)
    except Exception as error:
        check("cloudevents of PyPI reads the event", False, repr(error))
    modules = os.environ.get("FEEDMILL_NPM")
    if not modules:
        return
    script = """const cards = require("adaptivecards/dist/adaptivecards.js");
        const message = JSON.parse(require("fs").readFileSync(0)), context = new cards.SerializationContext();
        const card = new cards.AdaptiveCard();
        card.parse(message.attachments[0].content, context);
        process.exit(context.eventCount + card.validateProperties().validationEvents.length);"""
    env = dict(os.environ, NODE_PATH=modules)
    done = subprocess.run(["node", "-e", script], input=State.shaped["/teams"], capture_output=True, text=True, env=env, timeout=60)
    check("adaptivecards of npm finds nothing wrong with the card", done.returncode == 0, done.stderr[-300:] or done.returncode)


def npm(name, secret, headers, body):
    """The package of npm, where .ci/peers has installed it."""
    modules = os.environ.get("FEEDMILL_NPM")
    if not modules:
        return
    script = """const { Webhook } = require("standardwebhooks");
        const { secret, headers, body } = JSON.parse(require("fs").readFileSync(0));
        if (new Webhook(secret).verify(body, headers).type !== "item.new") process.exit(1);"""
    given = json.dumps({"secret": secret, "headers": headers, "body": body.decode()})
    env = dict(os.environ, NODE_PATH=modules)
    done = subprocess.run(["node", "-e", script], input=given, capture_output=True, text=True, env=env, timeout=60)
    check(f"standardwebhooks of npm verifies {name}", done.returncode == 0, done.stderr[-300:])


def webhooks():
    wait("a call and its retry", lambda: len(State.calls) >= 2)
    for n, (headers, body) in enumerate(State.calls[:2]):
        headers = {k.lower(): v for k, v in headers.items()}
        # While a secret is being replaced, holders of either take the call.
        for holder, secret in (("the old secret", SECRET), ("the new secret", NEWER)):
            name = "%s with %s" % (("the first attempt", "the retry")[n], holder)
            try:
                data = Webhook(secret).verify(body, headers)
                check(f"standardwebhooks of PyPI verifies {name}", data["type"] == "item.new", data)
            except Exception as error:
                check(f"standardwebhooks of PyPI verifies {name}", False, repr(error))
            npm(name, secret, headers, body)
    ids = {headers.get("webhook-id") or headers.get("Webhook-Id") for headers, _ in State.calls[:2]}
    bodies = {body for _, body in State.calls[:2]}
    check("both carry one id and one body", len(ids) == 1 and len(bodies) == 1, (ids, len(bodies)))
    item = json.loads(State.calls[0][1])["data"]["item"]
    check("the item has its link without tracking", item["url"] == "https://pier.example/2026/two", item["url"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
