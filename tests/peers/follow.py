"""newsboat and a feedparser client follow a stream through twenty rounds of changes, and see each story once.

    follow.py PATH-OF-FEEDMILL

Rounds: new stories, an edit, another order, a restart, a crash, a publisher that moves to another host, our own host renamed, an aggregator
with the same stories, the publisher's own feed joining after it, an added source with a back catalogue. Ends with `N passed, N failed`.
"""

import email.utils
import http.server
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading

import feedparser

import peers
from peers import check, get, port, wait

ROUNDS = 20


class World:
    """What the publishers have at this moment."""
    host, text, known, order, feeds, lock = "courier.example", {}, [], [], {}, threading.Lock()
    # Where each story stood when the hub linked to it.
    at = {}


class Publisher(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        with World.lock:
            name = self.path.strip("/")
            home, stories = World.feeds[name]
            items = "".join(item(name, n) for n in World.order if n in stories)
            body = f"<rss version='2.0'><channel><title>{name}</title><link>https://{home or World.host}/</link>{items}</channel></rss>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def item(feed, n):
    # The hub has guids of its own, and its links stay; the back catalogue is another publisher's.
    host = "attic.example" if n >= 1000 else World.at.setdefault(n, World.host) if feed == "hub" else World.host
    guid = f"hub-{n}" if feed == "hub" else f"story-{n}"
    date = email.utils.formatdate(1772400000 + n * 60 if n < 1000 else 1700000000 + n * 60)
    track = "?utm_source=hub" if feed == "hub" else ""
    return (f"<item><title>Story {n}{World.text.get(n, '')}</title><link>https://{host}/2026/{n}{track}</link><guid isPermaLink='false'>{guid}</guid>"
            f"<pubDate>{date}</pubDate><description>What story {n} says, at some length, so that it can be known.</description></item>")


class House:
    def __init__(self, feedmill, folder, origin):
        self.feedmill, self.folder, self.origin, self.listen = feedmill, folder, origin, port()
        self.config, self.feeds, self.name, self.daemon = os.path.join(folder, "feedmill.toml"), ["hub"], "localhost", None
        self.base = f"http://127.0.0.1:{self.listen}/"
        self.configure()

    def configure(self):
        feeds = "".join(f'[[feed]]\nname = "{name}"\nurl = "http://127.0.0.1:{self.origin}/{name}"\n' for name in self.feeds)
        pathlib.Path(self.config).write_text(f"""
[server]
listen = "127.0.0.1:{self.listen}"
public_url = "http://{self.name}:{self.listen}/"
[poll]
schedule = "@yearly"
spread = false
min_interval = "1s"
allow_networks = ["127.0.0.0/8"]
{feeds}""")

    def start(self):
        self.daemon = subprocess.Popen([self.feedmill, "--config", self.config, "run"], stderr=subprocess.DEVNULL)
        wait("the daemon answers", lambda: get(self.base + "healthz"))

    def stop(self, how=signal.SIGTERM):
        self.daemon.send_signal(how)
        self.daemon.wait(30)

    def run(self, *command):
        return subprocess.run([self.feedmill, "--config", self.config, *command], capture_output=True, timeout=60)


class Client:
    """A reader that keeps ids, as most do."""

    def __init__(self, url):
        self.url, self.seen, self.twice = url, {}, []

    def look(self):
        read = feedparser.parse(self.url)
        for entry in read.entries:
            story = int(re.search(r"Story (\d+)", entry.title)[1])
            if entry.id not in self.seen and story in self.seen.values():
                self.twice.append((story, entry.id))
            self.seen[entry.id] = story


class Newsboat:
    """One for each address: it keeps one article an id, wherever that is from."""

    def __init__(self, folder, url):
        os.mkdir(folder)
        self.cache = os.path.join(folder, "cache.db")
        for name, text in (("urls", url + "\n"), ("config", "")):
            pathlib.Path(folder, name).write_text(text)
        self.command = ["newsboat", "-u", os.path.join(folder, "urls"), "-c", self.cache, "-C", os.path.join(folder, "config"), "-x", "reload"]
        self.home = folder

    def look(self):
        subprocess.run(self.command, capture_output=True, timeout=60, env=dict(os.environ, HOME=self.home))

    def stories(self):
        rows = sqlite3.connect(self.cache).execute("SELECT title FROM rss_item").fetchall()
        return sorted(int(re.search(r"Story (\d+)", title)[1]) for (title,) in rows)


def change(n, house):
    """What happens in a round."""
    with World.lock:
        new = [len(World.known), len(World.known) + 1] if n != 13 else []
        World.known += new
        for name in ("hub", "own"):
            World.feeds[name][1].update(new)
        World.order = sorted(World.order + new, reverse=True)
        if n % 4 == 1:
            World.text[World.known[-3]] = f", corrected in round {n}"
        if n % 3 == 2:
            random.Random(n).shuffle(World.order)
        if n == 6:
            World.host = "www.courier.example"
        if n == 12:
            World.host = "news-of-the-courier.example"
        if n == 16:
            World.feeds["attic"][1].update(range(1000, 1040))
            World.order += range(1000, 1040)
    if n == 4:
        house.feeds.append("own")
    if n == 9:
        house.name = "feeds.example.org"
    if n == 16:
        house.feeds.append("attic")
    house.configure()
    if n in (3, 9, 15):
        house.stop()
        house.start()
    elif n == 11:
        house.stop(signal.SIGKILL)
        house.start()
    else:
        check(f"round {n}: the daemon takes the configuration", house.run("reload").returncode == 0)
    done = house.run("poll")
    check(f"round {n}: polled", done.returncode == 0, done.stderr)


def main(feedmill):
    World.feeds = {"hub": ("hub.example", set()), "own": (None, set()), "attic": ("attic.example", set())}
    World.known = list(range(12))
    World.order = World.known[::-1]
    for name in ("hub", "own"):
        World.feeds[name][1].update(World.known)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        house = House(feedmill, folder, server.server_port)
        house.start()
        house.run("poll")
        urls = [house.base + "all.atom", house.base + "all.rss"]
        clients = [Client(url) for url in urls]
        boats = [Newsboat(os.path.join(folder, url[-4:]), url) for url in urls]
        try:
            for n in range(ROUNDS + 1):
                if n:
                    change(n, house)
                before = get(urls[0])
                check(f"round {n}: nothing changes, the same bytes", get(urls[0]) == before)
                for client in clients + boats:
                    client.look()
        finally:
            house.stop()
        expected = sorted(World.known + list(range(1000, 1040)))
        for client in clients:
            check(f"a feedparser client of {client.url[-8:]} saw no story twice in {ROUNDS} rounds", not client.twice, client.twice)
            check(f"and each of {len(expected)} stories", sorted(client.seen.values()) == expected, sorted(client.seen.values()))
        for url, boat in zip(urls, boats):
            check(f"newsboat saw each story of {url[-8:]} once", boat.stories() == expected, boat.stories())
    print("\n%d passed, %d failed" % (peers.passed, peers.failed))
    return 1 if peers.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
