"""A browser opens what Feedmill publishes of hostile feeds: every payload of tests/it/xss/payloads.txt in every field.

    browser.py PATH-OF-FEEDMILL

Chromium opens the pages as they are served, and the HTML of the feeds in a page without any Content-Security-Policy,
as a careless reader would show it. A payload that runs changes the title of its page. Ends with `N passed, N failed`.
"""

import html
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse

from peers import check, get, port, wait
import peers

ROOT = pathlib.Path(__file__).resolve().parents[1]
RAN = "7411"


def payloads():
    escapes = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0", "1": "\1"}
    lines = (ROOT / "it/xss/payloads.txt").read_text(encoding="utf-8").split("\n")[:-1]
    return [re.sub(r"\\(.)", lambda m: escapes.get(m[1], m[1]), line) for line in lines]


def document():
    items = [{"id": f"xss-{n}", "url": f"https://e.example/{n}", "title": p, "summary": p, "content_html": p, "authors": [{"name": p, "url": p}],
              "tags": [p], "image": p, "attachments": [{"url": p, "mime_type": p}], "date_published": "2026-03-01T10:00:00Z"}
             for n, p in enumerate(payloads())]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "<script>document.title=7411</script>", "items": items}).encode()


class Publisher(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        body = document()
        self.send_response(200)
        self.send_header("Content-Type", "application/feed+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def chromium(*arguments):
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    folder = tempfile.mkdtemp()
    fixed = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--virtual-time-budget=4000",
             # Nothing of the web is there for it.
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder}"]
    try:
        return subprocess.run([program, *fixed, *arguments], capture_output=True, timeout=120)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def title(url):
    dom = chromium("--dump-dom", url).stdout.decode("utf-8", "replace")
    found = re.search(r"<title>(.*?)</title>", dom, re.S)
    return html.unescape(found[1]) if found else "no page"


def main(feedmill):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    listen = port()
    base = f"http://127.0.0.1:{listen}/"
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "feedmill.toml")
        pathlib.Path(config).write_text(f"""
[server]
listen = "127.0.0.1:{listen}"
public_url = "{base}"
[poll]
allow_networks = ["127.0.0.0/8"]
[[feed]]
name = "evil"
url = "http://127.0.0.1:{server.server_port}/feed"
[[stream]]
name = "all"
limit = 1000
""")
        daemon = subprocess.Popen([feedmill, "--config", config, "run"], stderr=subprocess.DEVNULL)
        try:
            wait("the items are there", lambda: len(json.loads(get(base + "all.json"))["items"]) > 300)
            run_checks(base, folder)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
    print("\n%d passed, %d failed" % (peers.passed, peers.failed))
    return 1 if peers.failed else 0


def run_checks(base, folder):
    def shown(name, body):
        path = os.path.join(folder, name + ".html")
        pathlib.Path(path).write_text(f"<!DOCTYPE html><meta charset=utf-8><title>calm</title><body>{body}", encoding="utf-8")
        return title("file://" + path)

    # That a payload that runs is seen at all: some of them raw.
    raw = [p for p in payloads() if p.startswith("<img src=x onerror=document")]
    check("a payload that is not cleaned runs in this browser", shown("raw", raw[0]) == RAN)
    items = json.loads(get(base + "all.json"))["items"]
    content = [item.get("content_html", "") for item in items]
    for n in range(0, len(content), 75):
        # Each by itself, as one that is left open could hide the next ones.
        body = "".join(f"<div>{part}</div>" for part in content[n:n + 75])
        check(f"content {n} and following runs nothing", shown("content", body) == "calm")
    for path in ("", "status", "feeds", "search?q=" + urllib.parse.quote("<script>document.title=7411</script>"), "all/subscribe"):
        # A title may hold the number, as text.
        check(f"/{path} runs nothing", title(base + path) != RAN)
    for item in items[::60]:
        path = "item/%d" % item["_feedmill"]["item"]
        check(f"/{path} runs nothing", title(base + path) != RAN)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
