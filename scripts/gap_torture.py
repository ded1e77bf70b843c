#!/usr/bin/env python3
"""Kills runs that complete a layout, and lets them run out of disk: nothing half complete may be called complete.

usage: scripts/gap_torture.py OCIFY IMAGES      (IMAGES as gap_images.py makes them; works in the current folder)

At every moment the layout must verify without errors: what it lacks is listed. After the next run it is byte for byte that of
a direct conversion, with nothing left behind.
"""
import filecmp, os, pathlib, random, shutil, signal, subprocess, sys, time

OCIFY, IMAGES = sys.argv[1], pathlib.Path(sys.argv[2])
ROUNDS = int(os.environ.get("ROUNDS", "8"))
chance = random.Random(1)
failed = 0


def ocify(*args, check=True):
    run = subprocess.run([OCIFY, *map(str, args)], capture_output=True, text=True)
    if check and run.returncode:
        sys.exit(f"{args}: {run.stderr}")
    return run


def convert(*args, check=True):
    return ocify("convert", "-q", *args, check=check)


def same(left, right):
    compared = filecmp.dircmp(left, right, ignore=[])
    if compared.left_only or compared.right_only or compared.funny_files:
        return False
    _, differ, errors = filecmp.cmpfiles(left, right, compared.common_files, shallow=False)
    folders = all(same(left / name, right / name) for name in compared.common_dirs)
    return not differ and not errors and folders


def no(what, *details):
    global failed
    failed += 1
    print("FAIL", what, *details, flush=True)


def judge(what, command, output, direct):
    run = ocify("verify", "-q", output, check=False)
    if run.returncode:
        return no(what, "has errors that it does not say:", run.stdout[:300])
    again = subprocess.run(command, capture_output=True, text=True)
    if again.returncode:
        return no(what, "the next run fails:", again.stderr[:300])
    if not same(output, direct):
        no(what, "the next run does not end with the direct conversion")


def scenarios(work):
    """Name, layout before, layout after, and command for a layout at `output`."""
    new = sorted((IMAGES / "2").glob("*.tar"))[:3]
    old = sorted((IMAGES / "1").glob("*.tar"))[:3]
    convert(*old, "-o", work / "old")
    convert(*old, "-o", work / "old-zstd", "--compression", "zstd")
    convert(*new, "--have", work / "old", "-o", work / "part.tar")
    convert(*new, "--have", work / "old", "--volume-size", "1M", "-o", work / "v.tar")
    volumes = sorted(work.glob("v.*.tar"))
    for name, before, inputs, more in [
        ("a layout that has the rest", "old", [work / "part.tar"], []),
        ("a layout that has it in zstd", "old-zstd", [work / "part.tar"], []),
        ("a layout of one volume", "one", volumes[1:], ["--fill-from", work / "old"]),
        ("a part with a volume", "old", volumes[:1], ["--missing", "keep"]),
    ]:
        if before == "one":
            convert(volumes[0], "--missing", "keep", "-o", work / "one")
        direct = work / ("after-" + name.replace(" ", "-"))
        shutil.copytree(work / before, direct)
        convert(*inputs, *more, "-o", direct)
        yield name, work / before, direct, lambda output: [OCIFY, "convert", "-q", *map(str, inputs), *map(str, more),
                                                           "-o", str(output)]


def kill(work, name, before, direct, command):
    output = work / "killed"
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(before, output)
    started = time.monotonic()
    subprocess.run(command(output), check=True, capture_output=True)
    seconds = time.monotonic() - started
    hit = 0
    for _ in range(ROUNDS):
        shutil.rmtree(output)
        shutil.copytree(before, output)
        run = subprocess.Popen(command(output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, seconds * 1.1))
        run.send_signal(signal.SIGKILL)
        hit += run.wait() == -signal.SIGKILL
        judge(f"{name}, killed", command(output), output, direct)
    print(f"{name}: {ROUNDS} kills, {hit} hit")


def full_disks(work, name, before, direct, command):
    mount = work / "small"
    mount.mkdir(exist_ok=True)
    size = sum(path.stat().st_blocks * 512 for path in before.rglob("*")) >> 10
    grown = sum(path.stat().st_blocks * 512 for path in direct.rglob("*")) >> 10
    for extra in [16, (grown - size) // 2, grown - size, 2 * (grown - size) + 4096]:
        kib = size + extra + 64
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(mount)], capture_output=True)
        if mounted.returncode:
            return print("left out: full disks, since nothing can be mounted here:", mounted.stderr.decode().strip())
        try:
            output = mount / "out"
            try:
                shutil.copytree(before, output)
            except shutil.Error:
                continue
            run = subprocess.run(command(output), capture_output=True, text=True)
            what = f"{name} on {kib} KiB"
            if run.returncode == 0:
                if not same(output, direct):
                    no(what, "succeeds, and is not the direct conversion")
            elif not same(output, before):
                no(what, "fails, and changes the layout:", run.stderr[:200])
        finally:
            subprocess.run(["umount", str(mount)], check=True)


work = pathlib.Path("gap-torture")
work.mkdir()
for scenario in scenarios(work):
    kill(work, *scenario)
    full_disks(work, *scenario)
sys.exit(failed > 0)
