"""schemathesis runs the OpenAPI document of a running Feedmill against it, and finds nothing.

    schema.py PATH-OF-FEEDMILL PATH-OF-SCHEMATHESIS

Left out: that all valid data is accepted (no schema says what a query of ours is, or a filter of the log), and wrong tokens, after ten
of which the daemon listens no more. Ends with `N passed, N failed`.
"""

import http.server
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading

import peers
from peers import SECRET, check, get, port, wait


class Publisher(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        items = [{"id": str(n), "url": f"https://a.example/{n}", "title": f"Peace {n}", "content_text": "Text"} for n in range(30)]
        body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "One", "items": items}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/feed+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(feedmill, schemathesis):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    listen = port()
    base = f"http://127.0.0.1:{listen}/"
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "feedmill.toml")
        pathlib.Path(config).write_text(f"""
[server]
listen = "127.0.0.1:{listen}"
admin_token = "s3cret-s3cret-s3cret"
[poll]
allow_networks = ["127.0.0.0/8"]
first_import = "notify"
[[feed]]
name = "one"
url = "http://127.0.0.1:{server.server_port}/feed"
[[stream]]
name = "peace"
match = "peace"
notify = ["desk"]
[[webhook]]
name = "desk"
url = "http://127.0.0.1:1/desk"
secret = "{SECRET}"
allow_networks = ["127.0.0.0/8"]
""")
        daemon = subprocess.Popen([feedmill, "--config", config, "run"], stderr=subprocess.DEVNULL)
        try:
            wait("the items are there", lambda: len(json.loads(get(base + "all.json"))["items"]) == 30)
            run = [schemathesis, "run", base + "api/v1/openapi.json", "-H", "Authorization: Bearer s3cret-s3cret-s3cret", "--seed", "7", "--max-examples", "30",
                   "--suppress-health-check=filter_too_much", "--exclude-checks", "positive_data_acceptance,ignored_auth"]
            done = subprocess.run(run, capture_output=True, text=True, timeout=600, cwd=folder)
            check("schemathesis finds nothing", done.returncode == 0, done.stdout[-6000:])
            check("the daemon lives", get(base + "healthz") == b"ok\n")
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
    print("\n%d passed, %d failed" % (peers.passed, peers.failed))
    return 1 if peers.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
