"""axe-core finds nothing wrong with the pages, light and dark, on a phone and on a desk.

    axe.py PATH-OF-FEEDMILL [FOLDER-FOR-PICTURES]

Needs FEEDMILL_NPM with axe-core and puppeteer-core, and Chromium. Ends with `N passed, N failed`.
"""

import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import peers
from peers import check, get, port, wait

HERE = pathlib.Path(__file__).resolve().parent
TITLES = ["Harbour board weighs a plan for the tide gates as winter storms draw near the old quay", "潮汐閘門的新計畫引起討論", "مجلس الميناء يدرس خطة جديدة لبوابات المد",
          "Peace, at last", "Ein sehr langes Wort: Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", "C++ & <templates>: what’s new"]


class Publisher(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/broken":
            self.send_error(503)
            return
        words = "The board met for three hours and heard from the people who work the gates, which were built for another sea. " * 4
        items = [{"id": f"{self.path}{n}", "url": f"https://wire.example/2026/{n}", "title": TITLES[n % len(TITLES)] + f" ({n})", "summary": words, "content_html": f"<p>{words}</p>",
                  "language": ["en", "zh", "ar", "en", "de", "en"][n % 6], "tags": ["harbour"], "authors": [{"name": "Ada Quay"}],
                  "date_published": f"2026-03-{1 + n // 12:02}T10:{n:02}:00Z", "attachments": [{"url": f"https://cdn.example/{n}.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 12345678}]}
                 for n in range(40)]
        body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "The Quay Courier" + self.path, "home_page_url": "https://courier.example/", "items": items}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/feed+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(feedmill, pictures="-"):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    listen = port()
    base = f"http://127.0.0.1:{listen}/"
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "feedmill.toml")
        feeds = "".join(f'[[feed]]\nname = "{name}"\nurl = "http://127.0.0.1:{server.server_port}/{name}"\ntags = ["press"]\n' for name in ("one", "two", "broken"))
        pathlib.Path(config).write_text(f"""
[server]
listen = "127.0.0.1:{listen}"
public_url = "{base}"
title = "My news"
[poll]
allow_networks = ["127.0.0.0/8"]
first_import = "notify"
{feeds}
[[stream]]
name = "peace"
title = "Peace talks"
match = 'peace OR gates'
notify = ["desk"]
[[webhook]]
name = "desk"
url = "http://127.0.0.1:1/desk"
secret = "{peers.SECRET}"
allow_networks = ["127.0.0.0/8"]
""")
        daemon = subprocess.Popen([feedmill, "--config", config, "run"], stderr=subprocess.DEVNULL)
        try:
            wait("the items are there", lambda: len(json.loads(get(base + "all.json"))["items"]) >= 40)
            wait("one feed fails", lambda: b"503" in get(base + "status"))
            item = json.loads(get(base + "all.json"))["items"][5]["_feedmill"]["item"]
            paths = ["", "peace", f"item/{item}", "search?q=gates", "search?q=(", "status", "feeds", "all/subscribe", "nothing"]
            environment = dict(os.environ, NODE_PATH=os.environ["FEEDMILL_NPM"], CHROMIUM=shutil.which("chromium") or shutil.which("chromium-browser"))
            done = subprocess.run(["node", str(HERE / "axe.js"), base, pictures, *paths], capture_output=True, text=True, env=environment, timeout=300)
            found = [json.loads(line) for line in done.stdout.splitlines()]
            check(f"axe-core ran ({done.stderr[-300:]})", done.returncode == 0)
            for path in paths:
                bad = [one for one in found if one.get("path", path) == path]
                check(f"axe-core finds nothing wrong with /{path}", not bad, json.dumps(bad, indent=1, ensure_ascii=False))
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
    print("\n%d passed, %d failed" % (peers.passed, peers.failed))
    return 1 if peers.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
