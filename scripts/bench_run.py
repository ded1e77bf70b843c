#!/usr/bin/env python3
"""Runs ocify and skopeo in turn on each route and reports medians. Called by bench.sh, which makes the inputs."""
import argparse
import datetime
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time

from bench_plot import plot

SIX_NAMES = [f"bench/app-{part}:1.0" for part in range(6)]


class Route:
    """One row of the table. A command is a list of argument lists that run one after the other; skopeo lacks some."""

    def __init__(self, name, title, ocify, skopeo=None, prepare=()):
        commands = {"ocify": ocify, "skopeo": skopeo}
        self.commands = {program: command for program, command in commands.items() if command}
        self.name, self.title, self.prepare = name, title, prepare


def routes(ocify, skopeo, inputs, output):
    save, name = f"{inputs}/docker-save.tar", "bench/app:1.0"
    copy = [skopeo, "--insecure-policy", "copy", "--quiet"]

    def convert(source, target, *options):
        return [[ocify, "convert", source, "-o", target, *options]]

    def skopeo_copy(source, target, *options):
        return [[*copy, *options, source, target]]

    folder, tar, cache = f"{output}/layout", f"{output}/layout.tar", f"{output}/cache"
    zstd = ("--dest-compress-format", "zstd")
    cached = convert(save, folder, "--compression", "gzip", "--cache", cache)
    to_gzip = skopeo_copy(f"docker-archive:{save}", f"oci:{folder}:{name}")
    return [
        Route("folder-gzip", "docker-save → OCI folder, gzip", convert(save, folder, "--compression", "gzip"), to_gzip),
        Route("tar-gzip", "docker-save → OCI tar, gzip", convert(save, tar, "--compression", "gzip"),
              skopeo_copy(f"docker-archive:{save}", f"oci-archive:{tar}:{name}")),
        Route("folder-zstd", "docker-save → OCI folder, zstd", convert(save, folder, "--compression", "zstd"),
              skopeo_copy(f"docker-archive:{save}", f"oci:{folder}:{name}", *zstd)),
        Route("folder-none", "docker-save → OCI folder, uncompressed", convert(save, folder, "--compression", "none"),
              skopeo_copy(f"docker-archive:{save}", f"oci:{folder}:{name}", "--dest-oci-accept-uncompressed-layers")),
        Route("schema1", "schema 1 folder, gzip layers → OCI folder, kept", convert(f"{inputs}/schema1", folder),
              skopeo_copy(f"dir:{inputs}/schema1", f"oci:{folder}:{name}")),
        Route("gzip-zstd", "OCI gzip → OCI zstd", convert(f"{inputs}/oci-gzip", folder, "--compression", "zstd"),
              skopeo_copy(f"oci:{inputs}/oci-gzip:{name}", f"oci:{folder}:{name}", *zstd)),
        Route("unchanged", "OCI → OCI, kept, blob digests checked", convert(f"{inputs}/oci-gzip", folder, "--check", "blobs"),
              skopeo_copy(f"oci:{inputs}/oci-gzip:{name}", f"oci:{folder}:{name}")),
        Route("docker-archive", "OCI gzip → docker-archive", convert(f"{inputs}/oci-gzip", tar, "--to", "docker-archive"),
              skopeo_copy(f"oci:{inputs}/oci-gzip:{name}", f"docker-archive:{tar}:{name}")),
        Route("registry", "docker-save → registry tree, gzip",
              convert(save, folder, "--compression", "gzip", "--to", "registry")),
        Route("six-images", "archive of 6 images that share a base, all names",
              convert(f"{inputs}/six-images.tar", folder, "--compression", "gzip"),
              [argv for each in SIX_NAMES
               for argv in skopeo_copy(f"docker-archive:{inputs}/six-images.tar:{each}", f"oci:{folder}:{each}")]),
        Route("cached", "docker-save → OCI folder, gzip, warm cache", cached, to_gzip, prepare=cached),
    ]


class Measurement:
    """Seconds of wall and CPU time, peak resident bytes of the largest process, bytes written."""

    def __init__(self, commands, output):
        self.wall = self.cpu = self.peak = 0
        for argv in commands:
            begin = time.monotonic()
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            message = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            self.wall += time.monotonic() - begin
            self.cpu += usage.ru_utime + usage.ru_stime
            self.peak = max(self.peak, usage.ru_maxrss * 1024)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise RuntimeError(f"{' '.join(argv)}: status {process.returncode}\n{message.decode(errors='replace')}")
        self.size = size_of(output)


def size_of(folder):
    paths = [os.path.join(base, name) for base, _, names in os.walk(folder) for name in names]
    return sum(os.path.getsize(path) for path in paths if f"{os.sep}cache{os.sep}" not in path)


def clear(output, keep=()):
    os.makedirs(output, exist_ok=True)
    for entry in os.scandir(output):
        if entry.name not in keep:
            shutil.rmtree(entry.path) if entry.is_dir() else os.remove(entry.path)


def warm(inputs):
    """Reads the inputs once, so that every run finds them in the page cache."""
    for base, _, names in os.walk(inputs):
        for name in names:
            with open(os.path.join(base, name), "rb") as file:
                while file.read(1 << 20):
                    pass


def measure(route, output, runs):
    """{program: [Measurement]} with the programs taking turns; a program that fails on this route is left out."""
    commands, results = dict(route.commands), {}
    for run in range(-1, runs):  # the first run is not counted: it shows which programs work, and warms the caches
        for program in list(commands):
            try:
                if run < 0 and program == "ocify" and route.prepare:
                    clear(output)
                    Measurement(route.prepare, output)
                clear(output, keep={"cache"})
                measurement = Measurement(commands[program], output)
            except RuntimeError as error:
                if run >= 0:
                    raise
                print(f"{route.name}: left out: {error}", file=sys.stderr)
                del commands[program]
                continue
            if run >= 0:
                results.setdefault(program, []).append(measurement)
    clear(output)
    return results


def waiting(ocify, inputs, results, runs):
    """A sentence: what waiting costs until the output is on the disk of `results`."""
    output = os.path.join(results, "disk")
    folder = f"{output}/layout"
    kinds = {"with": [], "without": ["--no-fsync"], "tree": ["--to", "registry"]}
    walls = {name: [] for name in kinds}
    for _ in range(runs):
        for name, options in kinds.items():
            clear(output)
            os.sync()
            argv = [ocify, "convert", f"{inputs}/docker-save.tar", "-o", folder, "--compression", "gzip", *options]
            walls[name].append(Measurement([argv], output).wall)
    shutil.rmtree(output)
    return (f"Waiting for the disk ({file_system(results)}): {statistics.median(walls['with']):.2f} s for the first route, "
            f"{statistics.median(walls['without']):.2f} s with `--no-fsync`, {statistics.median(walls['tree']):.2f} s to a registry tree.")


def medians(measurements):
    return {field: statistics.median(getattr(m, field) for m in measurements) for field in ("wall", "cpu", "peak", "size")}


def table(rows):
    yield ("| route | skopeo wall / CPU s | ocify wall / CPU s | wall, skopeo ÷ ocify | CPU, skopeo ÷ ocify | "
           "skopeo MB | ocify MB | size, ocify ÷ skopeo | skopeo peak MiB | ocify peak MiB |")
    yield "|---|" + "---:|" * 9
    for route, programs in rows:
        skopeo, ocify = programs.get("skopeo"), programs.get("ocify")

        def show(median, form):
            return form(median) if median else "–"

        def ratio(field, upper, lower):
            return f"{upper[field] / lower[field]:.2f}" if upper and lower else "–"

        def times(m):
            return f"{m['wall']:.2f} / {m['cpu']:.2f}"

        def megabytes(m):
            return f"{m['size'] / 1e6:.1f}"

        def mebibytes(m):
            return f"{m['peak'] / (1 << 20):.0f}"

        yield "| " + " | ".join([
            route.title, show(skopeo, times), show(ocify, times), ratio("wall", skopeo, ocify), ratio("cpu", skopeo, ocify),
            show(skopeo, megabytes), show(ocify, megabytes), ratio("size", ocify, skopeo),
            show(skopeo, mebibytes), show(ocify, mebibytes)]) + " |"


def version(program):
    return re.sub(r" commit:.*", "", subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip()) \
        or os.path.basename(program)


def file_system(path):
    return subprocess.run(["stat", "--file-system", "--format", "%T", path], capture_output=True, text=True).stdout.strip()


def processor():
    with open("/proc/cpuinfo") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
    return found.group(1) if found else platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("ocify", "skopeo", "inputs", "output", "results"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--routes", default="")
    options = parser.parse_args()
    output = os.path.join(options.output, "out")
    chosen = routes(options.ocify, options.skopeo, options.inputs, output)
    if options.routes:
        unknown = set(options.routes.split(",")) - {route.name for route in chosen}
        if unknown:
            sys.exit(f"no such route: {', '.join(sorted(unknown))}; there are {', '.join(route.name for route in chosen)}")
        chosen = [route for route in chosen if route.name in options.routes.split(",")]

    warm(options.inputs)
    clear(output)
    facts = (f"{version(options.ocify)}, {version(options.skopeo)}; {processor()}, {len(os.sched_getaffinity(0))} cores, "
             f"output on {file_system(output)}; medians of {options.runs} runs in turn, {datetime.date.today()}.")
    # A child starts with its parent's peak, so this script's own peak is the smallest value that can be measured.
    facts += f" Peaks below {Measurement([['true']], output).peak / (1 << 20):.0f} MiB cannot be told apart."
    rows = []
    for route in chosen:
        rows.append((route, {program: medians(all_runs) for program, all_runs in measure(route, output, options.runs).items()}))
        print(f"{route.name}: done", file=sys.stderr)
    os.rmdir(output)

    os.makedirs(options.results, exist_ok=True)
    text = "\n".join(table(rows)) + f"\n\n{facts}\n"
    if not options.routes:
        text += f"\n{waiting(options.ocify, options.inputs, options.results, options.runs)}\n"
    print(text, end="")
    with open(os.path.join(options.results, "bench.md"), "w") as file:
        file.write(text)
    with open(os.path.join(options.results, "bench.svg"), "w") as file:
        file.write(plot([(route.title, programs) for route, programs in rows], facts))


if __name__ == "__main__":
    main()
