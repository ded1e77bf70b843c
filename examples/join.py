#!/usr/bin/env python3
"""Joins what the tasks of one list have left: their digest maps, their failures, and names that they gave to different images.

usage: join.py LIST LAYOUT RESULTS TASKS

Writes RESULTS/map.csv from RESULTS/map-*.csv, and RESULTS/failed.txt from RESULTS/report-*.json. Run it when all tasks have ended. If
a task has left no report, join.py fails: run that task again, then join.py.

Tasks end in any order, and a name that two of them give to different images belongs to the task that ended last. In one run, it belongs
to the first sound archive of the list. This puts that right: the archives that come first in the list are added once more, and
failed.txt names the others.
"""
import csv, json, pathlib, subprocess, sys

if len(sys.argv) != 5:
    sys.exit(__doc__.split("\n\n")[1])
archives, layout, results, tasks = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4])
listed = archives.read_text().splitlines()
position = {path: number for number, path in reversed(list(enumerate(listed)))}

header, rows = None, []
for path in sorted(results.glob("map-*.csv")):
    with open(path, newline="") as file:
        lines = csv.reader(file)
        header = next(lines)
        rows += [dict(zip(header, line)) for line in lines]
reports = sorted(results.glob("report-*.json"))
# A task without archives leaves a report too.
if len(reports) != tasks:
    sys.exit(f"{results}: {len(reports)} reports, expected one of each of {tasks} tasks")
failed = []
for path in reports:
    failed += [failure["message"] for failure in json.loads(path.read_text())["failed"]]


def digest(row):
    return row["new_index"] or row["new_manifest"]


owners = {}
for row in sorted(rows, key=lambda row: position.get(row["input"], len(listed))):
    owners.setdefault(row["name"], row)
joined, again = [], set()
for row in rows:
    owner = owners[row["name"]]
    if row["name"] and digest(row) != digest(owner):
        again.add(owner["input"])
        failed.append(f"{row['input']}: {row['name']} is {digest(row)}, expected {digest(owner)} as in {owner['input']}")
    else:
        joined.append(row)
# The first one last, so that it has all its names.
for path in sorted(again, key=position.get, reverse=True):
    subprocess.run(["ocify", "convert", path, "--output", layout, "--quiet"], check=True)

if header:
    joined = sorted({tuple(row.values()) for row in joined})
    with open(results / "map.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *joined])
(results / "failed.txt").write_text("".join(f"{line}\n" for line in sorted(set(failed))))
