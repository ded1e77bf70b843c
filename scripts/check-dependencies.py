#!/usr/bin/env python3
"""Checks all dependencies against deny.toml: banned crates, licences, sources. Needs no network.

usage: scripts/check-dependencies.py [PROGRAM]

With PROGRAM, a dynamically linked build, also that it imports no function of the C library that makes or uses sockets.
Asks cargo-deny too, where it is installed.
"""
import json, pathlib, re, shutil, subprocess, sys, tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOCKETS = {"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "getaddrinfo", "gethostbyname",
           "gethostbyname_r", "res_init", "__res_init", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
           "getsockopt", "setsockopt", "shutdown"}
# Packages in Cargo.lock, with those that only tests, other systems and build scripts use. Who adds one takes out another, or
# raises this with a reason in the commit.
MAX_PACKAGES = 171

deny = tomllib.loads((ROOT / "deny.toml").read_text())
metadata = json.loads(subprocess.run(
    ["cargo", "metadata", "--locked", "--format-version", "1"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
packages = {package["id"]: package for package in metadata["packages"]}
problems = []


def allowed(expression):
    """Whether an SPDX expression can be satisfied. `/` is the older way to write OR."""
    words = re.findall(r"\(|\)|[^\s()/]+|/", expression)
    position = 0

    def peek():
        return words[position] if position < len(words) else None

    def either():
        nonlocal position
        result = both()
        while peek() in ("OR", "/"):
            position += 1
            result = both() or result
        return result

    def both():
        nonlocal position
        result = one()
        while peek() == "AND":
            position += 1
            result = one() and result
        return result

    def one():
        nonlocal position
        word = words[position]
        position += 1
        if word == "(":
            result = either()
            position += 1
            return result
        if peek() == "WITH":
            word += " WITH " + words[position + 1]
            position += 2
        return word in deny["licenses"]["allow"]

    return either()


for package in packages.values():
    who = f"{package['name']} {package['version']}"
    if package["name"] in deny["bans"]["deny"]:
        problems.append(f"{who} is banned")
    if not allowed(package["license"] or "unknown"):
        problems.append(f"{who}: licence {package['license']} is not allowed")
    source = package["source"]
    if source is None:
        if not package["manifest_path"].startswith(str(ROOT)):
            problems.append(f"{who} comes from {package['manifest_path']}")
    elif source.removeprefix("registry+") not in deny["sources"]["allow-registry"]:
        problems.append(f"{who} comes from {source}")

if len(packages) > MAX_PACKAGES:
    problems.append(f"{len(packages)} packages in Cargo.lock, more than the budget of {MAX_PACKAGES}")

if len(sys.argv) > 1:
    symbols = subprocess.run(["nm", "--dynamic", "--undefined-only", sys.argv[1]], check=True, capture_output=True, text=True)
    imports = {line.split()[-1].split("@")[0] for line in symbols.stdout.splitlines()}
    if not imports:
        problems.append(f"{sys.argv[1]} imports nothing, so nothing can be said of it")
    problems += [f"{sys.argv[1]} imports {name}" for name in sorted(imports & SOCKETS)]

if shutil.which("cargo-deny"):
    asked = ["cargo", "deny", "--offline", "check", "-D", "warnings", "bans", "licenses", "sources"]
    verdict = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    if verdict.returncode:
        problems.append("cargo deny: " + (verdict.stdout + verdict.stderr).strip())
    else:
        print("cargo deny:", verdict.stdout.strip() or verdict.stderr.strip())
else:
    print("left out: cargo-deny, which is not installed (cargo install cargo-deny --locked)")

for problem in problems:
    print("FAIL", problem)
print(f"{len(packages)} packages checked, {len(problems)} problems")
sys.exit(1 if problems else 0)
