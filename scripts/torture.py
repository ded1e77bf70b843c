#!/usr/bin/env python3
"""The work of torture.sh; see there for its options. Prints what was done and ends with `N passed, N failed`.

What must hold after a kill, an injected error or a full disk:
- the output is the old one or the new one: for a tar and for a new or replaced folder byte by byte; for a folder that is added to,
  index.json and every blob it reaches (blobs that no index reaches may be there after SIGKILL until the next run);
- exit status 0 means the new one;
- after an error nothing temporary is left; after SIGKILL the next run removes it, and ends with exactly the new output.
"""
import os, pathlib, re, shutil, signal, subprocess, sys, tempfile, time

from torture_bombs import bombs
from torture_file_systems import file_systems
from torture_outputs import OCIFY, STRIDE, archive, args, chance, convert, copy, counts, last_writer, many_writers, no, \
    passed, state
from torture_registry import RegistryScenario, registry_writers
from torture_scenario import KINDS, Scenario

# The system calls that change what is on disk. openat and read fail too: an error before the disk is changed must not
# leave anything behind either.
CHANGES = ["write", "pwrite64", "ftruncate", "fsync", "mkdirat", "renameat", "renameat2", "linkat", "openat", "flock"]
# A failed removal is the only error after which something stays behind.
REMOVALS = ["unlinkat"]


# Kills.

def kill_at_random(scenario):
    scenario.reset()
    run = subprocess.Popen(scenario.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(chance.uniform(0, scenario.seconds * 1.1))
    run.send_signal(signal.SIGKILL)
    status = run.wait()
    counts["kills"] += 1
    counts["kills that hit"] += status == -signal.SIGKILL
    scenario.judge(f"{scenario.name}, killed at random", status, killed=True)


def calls(scenario, wanted):
    """How often each of these is called, by the thread that calls it most."""
    scenario.reset()
    with tempfile.TemporaryDirectory() as logs:
        subprocess.run(["strace", "-ff", "-qq", "-o", logs + "/log", "-e", "trace=" + ",".join(wanted),
                        *scenario.command("--threads", "1")], check=True, capture_output=True)
        most = dict.fromkeys(wanted, 0)
        for log in pathlib.Path(logs).iterdir():
            text = log.read_text(errors="replace")
            for name in wanted:
                most[name] = max(most[name], len(re.findall(rf"^{name}\(", text, re.M)))
        return most


def strace(scenario, injection):
    return subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + injection.split(":")[0],
                           "-e", "inject=" + injection, *scenario.command("--threads", "1")], capture_output=True, text=True)


def positions(count):
    first = chance.randrange(min(STRIDE, count)) if count else 0
    return range(1 + first, count + 1, STRIDE)


def kill_at_calls(scenario):
    wanted = [name for name in CHANGES + REMOVALS if name not in ("openat", "flock")]
    for name, count in calls(scenario, wanted).items():
        for when in positions(count):
            scenario.reset()
            run = strace(scenario, f"{name}:signal=SIGKILL:when={when}")
            counts["kills"] += 1
            counts["kills that hit"] += run.returncode != 0
            scenario.judge(f"{scenario.name}, killed at {name} {when}", run.returncode, killed=True)


# Errors.

def inject_errors(scenario):
    for name, count in calls(scenario, CHANGES + REMOVALS).items():
        for when in positions(count):
            errors = ["EIO"] if name == "flock" else ["ENOSPC", "EIO"]
            for error in [chance.choice(errors)] if args.short else errors:
                scenario.reset()
                run = strace(scenario, f"{name}:error={error}:when={when}")
                counts["faults"] += 1
                if "panicked" in run.stderr:
                    no(f"{scenario.name}, {error} at {name} {when}", "panics:", run.stderr[:300])
                scenario.judge(f"{scenario.name}, {error} at {name} {when}", run.returncode, killed=name in REMOVALS)


def full_disks(work, scenario):
    """Conversions onto file systems that are too small for them, and one that is large enough."""
    mount = work / "small"
    mount.mkdir(exist_ok=True)
    sizes = range(64, 6 << 10, (1000 if args.short else 160))
    for kib in [*sizes, 64 << 10]:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(mount)], capture_output=True)
        if mounted.returncode:
            print("left out: full disks, since nothing can be mounted here:", mounted.stderr.decode().strip())
            return
        try:
            scenario.reset()
            output = mount / scenario.output.name
            if scenario.old_copy:
                try:
                    copy(scenario.old_copy, output)
                except (OSError, shutil.Error):
                    continue
            run = subprocess.run([OCIFY, "convert", str(scenario.input), "-o", str(output), "-q", *scenario.options],
                                 capture_output=True, text=True)
            counts["full disks"] += 1
            found, left = scenario.state(output), scenario.temporary(mount, output)
            what = f"{scenario.name} on {kib} KiB"
            if left:
                no(what, "left behind:", left)
            elif not (found == scenario.new if run.returncode == 0 else scenario.is_old(found)):
                counts["losses"] += 1
                no(what, f"status {run.returncode}, but not the output that fits it", run.stderr)
            else:
                passed()
        finally:
            subprocess.run(["umount", str(mount)], check=True)


def full_caches(work):
    """A disk with space for the output, but not for all of it in the cache too: the output takes precedence."""
    source, plain, mount = work / "new-image.tar", work / "plain", work / "small"
    convert(source, plain)
    need = sum(path.stat().st_size for path in plain.rglob("*") if path.is_file())
    for size in range(need + (256 << 10), 2 * need + (512 << 10), 512 << 10):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mount)], capture_output=True)
        if mounted.returncode:
            return
        try:
            what = f"{size} bytes for {need} bytes of output and the cache"
            for name in ("out", "again"):
                run = subprocess.run([OCIFY, "convert", str(source), "-o", str(mount / name), "--no-fsync",
                                      "--cache", str(mount / "cache")], capture_output=True, text=True)
                counts["full disks"] += 1
                if run.returncode:
                    no(what, f"status {run.returncode}:", run.stderr)
                elif state(mount / name) != state(plain):
                    no(what, "another output than without a cache")
                elif left := [path.name for path in (mount / "cache").iterdir() if path.name.startswith(".")]:
                    no(what, "left in the cache:", left)
                else:
                    passed()
                shutil.rmtree(mount / name, ignore_errors=True)
        finally:
            subprocess.run(["umount", str(mount)], check=True)


def main():
    with tempfile.TemporaryDirectory(prefix="ocify-torture-", dir=os.environ.get("TMPDIR")) as folder:
        work = pathlib.Path(folder)
        archive(work / "old-image.tar", ["torture/old:1", "torture/both:1"], [700_000, 90_000], 1)
        archive(work / "new-image.tar", ["torture/both:1", "torture/new:1", "torture/new:2"],
                [1_500_000, 2_200_000, 60_000], 2)
        shutil.copy(work / "new-image.tar", work / "damaged.tar")
        with open(work / "damaged.tar", "r+b") as damaged:
            damaged.seek(3_000_000)
            damaged.write(b"damage")
        for number in range(8):
            archive(work / f"writer-{number}.tar", [f"torture/writer:{number}"], [200_000 + 9000 * number], 10 + number)
        kinds = [("folder", "new"), ("folder", "existing"), ("folder", "replaced"), ("folder", "empty"), ("tar", "new"),
                 ("tar", "existing"), ("tar", "added"), ("dir", "new"), ("dir", "existing"), ("archive", "new"),
                 ("archive", "existing")]
        scenarios = [Scenario(work, kind, before) for kind, before in kinds]
        scenarios += [RegistryScenario(work, "registry", before) for before in ("new", "existing", "empty")]
        for number in range(args.rounds):
            kill_at_random(scenarios[number % len(scenarios)])
        for scenario in scenarios:
            kill_at_calls(scenario)
            inject_errors(scenario)
            full_disks(work, scenario)
        bombs(work)
        full_caches(work)
        file_systems(work)
        for number in range(max(4, args.rounds // 4)):
            many_writers(work, ("folder", "tar")[number % 2], kill=number % 4 >= 2)
        for number in range(max(4, args.rounds // 8)):
            last_writer(work, [*KINDS.values()][number % 2], kill=number % 4 >= 2)
            if number % 2:
                registry_writers(work, kill=number % 4 >= 2)
    print(", ".join(f"{number} {what}" for what, number in counts.items() if what not in ("passed", "failed")))
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    sys.exit(1 if counts["failed"] else 0)


main()
