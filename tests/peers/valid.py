"""Documents that were kept by `FEEDMILL_KEEP=FOLDER cargo test the_whole_corpus`, read by feedparser and xmllint.

    valid.py FOLDER
"""

import json
import pathlib
import subprocess
import sys

import feedparser

import peers
from peers import check, json_feed_problems


def main(folder):
    files = sorted(pathlib.Path(folder).iterdir())
    bozo, entries, wrong, linted = [], 0, [], []
    for file in files:
        if file.suffix == ".json":
            wrong += [(file.name, problem) for problem in json_feed_problems(json.loads(file.read_bytes()))]
            continue
        # A type that says UTF-8, as the server does.
        read = feedparser.parse(file.read_bytes(), response_headers={"content-type": "application/%s+xml; charset=utf-8" % file.suffix[1:]})
        entries += len(read.entries)
        if read.bozo:
            bozo.append((file.name, repr(read.bozo_exception)))
        done = subprocess.run(["xmllint", "--huge", "--noout", str(file)], capture_output=True)
        if done.returncode:
            linted.append((file.name, done.stderr[:300]))
    check("there are documents of the corpus", len(files) > 100 and entries > 10_000, (len(files), entries))
    check(f"feedparser reads {entries} entries of the corpus without bozo", not bozo, bozo[:5])
    check("xmllint accepts all documents", not linted, linted[:5])
    check("all JSON Feeds keep every MUST of JSON Feed 1.1", not wrong, wrong[:5])
    print("\n%d passed, %d failed" % (peers.passed, peers.failed))
    return 1 if peers.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
