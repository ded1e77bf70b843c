"""Conversions onto file systems that have no hard links, no reflinks, or renames and locks of their own kind.

Each must give the bytes that it gives elsewhere, for every kind of output, also after a run that was killed, and with
many writers at once. Where there are reflinks, kept blobs share what is stored with the input. What cannot be mounted
here is left out, visibly.
"""
import os, re, shutil, signal, subprocess, time

from torture_outputs import OCIFY, args, chance, convert, counts, many_writers, no, passed, state, temporary, verify
from torture_registry import temporary as registry_temporary

SFTP_SERVER = "/usr/lib/openssh/sftp-server"


def image(folder, mebibytes):
    """A file that a file system can be made in."""
    path = folder / "image"
    with open(path, "wb") as file:
        file.truncate(mebibytes << 20)
    return str(path)


def looped(make, kind, mebibytes):
    """A file system of the kernel's in a file."""
    def commands(folder):
        path = image(folder, mebibytes)
        return [[*make, path], ["mount", "-t", kind, "-o", "loop", path, str(folder / "mount")]]
    return commands


def fuse(make, mount):
    """A file system of a FUSE driver in a file, which becomes a block device, because some accept nothing else."""
    def commands(folder):
        path = image(folder, 256)
        return [[*make, path],
                ["sh", "-c", 'ln -s "$(losetup --find --show "$1")" "$2"', "sh", path, str(folder / "loop")],
                [*mount, str(folder / "loop"), str(folder / "mount")]]
    return commands


def overlay(folder):
    mount = str(folder / "mount")
    for name in ["below", "layers"]:
        (folder / name).mkdir()
    layers = folder / "layers"
    return [["mount", "-t", "tmpfs", "tmpfs", str(layers)], ["mkdir", str(layers / "upper"), str(layers / "work")],
            ["mount", "-t", "overlay", "overlay", "-o",
             f"lowerdir={folder / 'below'},upperdir={layers / 'upper'},workdir={layers / 'work'}", mount]]


def bound(folder):
    (folder / "below").mkdir()
    return [["bindfs", str(folder / "below"), str(folder / "mount")]]


def over_sftp(folder):
    """A server behind a pipe: no hard links, no rename over a file, no way to sync folders."""
    (folder / "below").mkdir()
    shell = folder / "ssh"
    shell.write_text(f"#!/bin/sh\nexec {SFTP_SERVER}\n")
    shell.chmod(0o755)
    return [["sshfs", "-o", f"ssh_command={shell},disable_hardlink", f"nowhere:{folder / 'below'}", str(folder / "mount")]]


# Name, programs, and the commands that mount it.
FILE_SYSTEMS = [
    ("tmpfs", [], lambda folder: [["mount", "-t", "tmpfs", "tmpfs", str(folder / "mount")]]),
    ("overlayfs", [], overlay),
    ("ext2", ["mkfs.ext2"], looped(["mkfs.ext2", "-q"], "ext2", 256)),
    ("xfs", ["mkfs.xfs"], looped(["mkfs.xfs", "-q"], "xfs", 320)),
    ("btrfs", ["mkfs.btrfs"], looped(["mkfs.btrfs", "-q"], "btrfs", 256)),
    ("FAT", ["mkfs.vfat"], looped(["mkfs.vfat", "-F", "32"], "vfat", 256)),
    ("exFAT with FUSE", ["mkfs.exfat", "mount.exfat-fuse"], fuse(["mkfs.exfat"], ["mount.exfat-fuse"])),
    ("NTFS with FUSE", ["mkfs.ntfs", "ntfs-3g"], fuse(["mkfs.ntfs", "-F", "-Q", "-q"], ["ntfs-3g"])),
    ("bindfs", ["bindfs"], bound),
    ("SFTP with FUSE", ["sshfs", SFTP_SERVER], over_sftp),
]

# Of these, those on which files can be cloned.
REFLINKS = ["xfs", "btrfs"]


def file_systems(work):
    done, left_out = [], []
    for name, programs, commands in FILE_SYSTEMS:
        folder = work / "file-system"
        (folder / "mount").mkdir(parents=True)
        missing = [program for program in programs if not shutil.which(program)]
        problem = f"{missing[0]} is not installed" if missing else mount(commands(folder))
        try:
            if problem:
                left_out.append(f"{name} ({problem})")
                continue
            failed = counts["failed"]
            try_outputs(name, work, folder / "mount")
            if name in REFLINKS:
                for check in ["full", "blobs"]:
                    try_clones(f"kept blobs on {name}, --check {check}", work, folder / "mount", check)
            done.append(name if counts["failed"] == failed else name + " (failed)")
        finally:
            unmount(folder)
            shutil.rmtree(folder)
    failed = counts["failed"]
    if without_locks(work) == failed:
        done.append("one without locks (strace)")
    counts["file systems"] = len(done)
    print("file systems:", ", ".join(done) or "none")
    for what in left_out:
        print("left out:", what)


# A run gets these errors at once, or a mount option that says that locks stay on one machine.
UNLOCKED = {
    "EOPNOTSUPP": "the file system does not support locks",
    "ENOLCK": "No locks available",
    "nolock": "the file system is mounted with `nolock`",
}
# What is changed in place, and therefore needs a lock.
IN_PLACE = [("folder", "existing"), ("folder", "empty"), ("registry", "existing"), ("tar", "added")]


def without_locks(work):
    """Conversions, one at a time, where nothing can be locked, linked, or renamed without replacing: outputs that are changed in
    place are refused and stay as they are, all others are made as elsewhere. Returns the number of failures."""
    options = {"added": ["--add"], "replaced": ["--replace"]}
    cases = [*IN_PLACE, ("folder", "new"), ("folder", "replaced"), ("tar", "new"), ("tar", "existing"), ("registry", "new")]
    for how, message in UNLOCKED.items():
        for kind, before in cases if how == "EOPNOTSUPP" else IN_PLACE:
            name = "out.tar" if kind == "tar" else "out"
            more = options.get(before, []) + (["--to", "registry"] if kind == "registry" else [])
            outputs = [work / place / name for place in ("elsewhere", "without")]
            for output in outputs:
                shutil.rmtree(output.parent, ignore_errors=True)
                output.parent.mkdir()
                if before == "empty":
                    output.mkdir()
                elif before != "new":
                    convert(work / "old-image.tar", output, *(more if kind == "registry" else []))
            in_place = (kind, before) in IN_PLACE
            if not in_place:
                convert(work / "new-image.tar", outputs[0], *more)
            command = [OCIFY, "convert", str(work / "new-image.tar"), "-o", str(outputs[1]), "-q", *more]
            run = subprocess.run(unlocked(work, how, outputs[1].parent) + command, capture_output=True, text=True)
            what = f"{before} {kind} without locks ({how})"
            if run.returncode != in_place or in_place and f"{message}\n" not in run.stderr:
                no(what, "ends with", run.returncode, run.stderr)
            elif state(outputs[0]) != state(outputs[1]):
                no(what, "is not the old output" if in_place else "is another than elsewhere")
            elif left := temporary_of(kind, outputs[1]):
                no(what, "left behind:", left)
            else:
                passed()
        prune_without_lock(work, how)
    return counts["failed"]


def prune_without_lock(work, how):
    """A layout with nothing to remove, and one with a blob that nothing refers to, which stays."""
    layout = work / "without/layout"
    shutil.rmtree(layout.parent)
    layout.parent.mkdir()
    convert(work / "old-image.tar", layout)
    for garbage, expected in [(False, how == "ENOLCK"), (True, True)]:
        if garbage:
            (layout / "blobs/sha256" / ("0" * 64)).write_bytes(b"garbage")
        before = state(layout)
        run = subprocess.run(unlocked(work, how, layout.parent) + [OCIFY, "prune", str(layout)], capture_output=True, text=True)
        if run.returncode != expected or expected and f"{UNLOCKED[how]}\n" not in run.stderr or state(layout) != before:
            no(f"prune without locks ({how})", "ends with", run.returncode, run.stderr)
        else:
            passed()


def temporary_of(kind, output):
    return registry_temporary(output.parent, output) if kind == "registry" else temporary(output.parent, output)


def unlocked(work, how, folder):
    """What to put before a command."""
    if how == "nolock":
        device = folder.stat().st_dev
        line = f"99 1 {os.major(device)}:{os.minor(device)} / / rw - nfs server:/ rw,vers=3,hard,nolock,local_lock=all,addr=192.0.2.1\n"
        (work / "mountinfo").write_text(line)
        script = 'mount --bind "$0" /proc/$$/mountinfo && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, str(work / "mountinfo")]
    faults = [f"flock:error={how}", "linkat:error=EPERM", "renameat2:error=EINVAL"]
    return ["strace", "-f", "-qq", "-o", "/dev/null", *(word for fault in faults for word in ("-e", "inject=" + fault))]


def mount(commands):
    """Why it cannot be mounted, or None."""
    for command in commands:
        try:
            # Without a standard input, bindfs would get /dev/fuse in its place, and close it.
            run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        except OSError as error:
            return str(error)
        if run.returncode:
            words = (run.stderr or run.stdout).strip().splitlines()
            return words[0] if words else f"{command[0]} fails"
    return None


def unmount(folder):
    for _ in range(3000):
        mounted = [line.split()[1] for line in open("/proc/mounts") if line.split()[1].startswith(str(folder) + "/")]
        if not mounted:
            if (folder / "loop").is_symlink():
                subprocess.run(["losetup", "--detach", str((folder / "loop").resolve())], check=True)
            return
        subprocess.run(["umount", mounted[-1]], capture_output=True)
        time.sleep(0.1)
    raise SystemExit(f"cannot unmount {mounted}")


def try_outputs(name, work, place):
    for kind in ["folder", "tar"]:
        for before in ["new", "existing", "replaced", "added", "empty"]:
            if (kind, before) not in [("tar", "empty"), ("tar", "replaced"), ("folder", "added")]:
                try_output(f"{before} {kind} on {name}", work, place, kind, before)
    for number in range(2 if args.short else 8):
        many_writers(work, ("folder", "tar")[number % 2], kill=number % 4 >= 2, folder=place / "many")
    shutil.rmtree(place / "many", ignore_errors=True)


def try_output(what, work, place, kind, before):
    """A conversion with a digest map, one that is killed, and one after it; then one that fails."""
    name = "out.tar" if kind == "tar" else "out"
    elsewhere, output = work / "elsewhere" / name, place / "here" / name
    for folder in [elsewhere.parent, output.parent]:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if before == "empty":
            (folder / name).mkdir()
        elif before != "new":
            convert(work / "old-image.tar", folder / name)
    more = {"added": ["--add"], "replaced": ["--replace"]}.get(before, [])
    old = state(output)
    map_file = output.parent / "map.csv"
    bad = subprocess.run([OCIFY, "convert", str(work / "damaged.tar"), "-o", str(output), "-q", *more],
                         capture_output=True, text=True)
    if bad.returncode != 1 or state(output) != old:
        return no(what, "a damaged input changes the output:", bad.returncode, bad.stderr)
    if left := temporary(output.parent, output):
        return no(what, "an error leaves:", left)
    killed = subprocess.Popen([OCIFY, "convert", str(work / "new-image.tar"), "-o", str(output), "-q", *more],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(chance.uniform(0, 0.3))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    counts["kills"] += 1
    counts["kills that hit"] += killed.returncode == -signal.SIGKILL
    command = ["-o", str(output), "-q", "--digest-map", str(map_file), *more]
    run = subprocess.run([OCIFY, "convert", str(work / "new-image.tar"), *command], capture_output=True, text=True)
    if run.returncode:
        return no(what, "fails:", run.stderr)
    convert(work / "new-image.tar", elsewhere, *more)
    if state(output) != state(elsewhere):
        counts["losses"] += 1
        return no(what, "the output is another than elsewhere")
    if not map_file.read_text().startswith("name,"):
        return no(what, "the digest map is not there")
    map_file.unlink()
    if left := temporary(output.parent, output):
        return no(what, "left behind:", left)
    return passed() if verify(what, output) else None


def try_clones(what, work, place, check):
    """A layout whose blobs are kept: every one is a clone of the input's, and is checked and stays as if it were not."""
    if not shutil.which("filefrag"):
        return print("left out:", what, "(filefrag is not installed)")
    folders = [work / "kept", place / "kept"]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        convert(work / "new-image.tar", folder / "in")
    subprocess.run(["sync", "-f", str(place)], check=True)
    layers = {path.name: path.stat().st_size for path in (folders[1] / "in/blobs/sha256").iterdir() if path.stat().st_size > 50_000}
    output = folders[1] / "out"
    before = free(place)
    convert(folders[1] / "in", output, "--check", check)
    written = before - free(place)
    expected = state(folders[1] / "in")
    if state(output) != expected:
        counts["losses"] += 1
        return no(what, "the output is not the input")
    if written > sum(layers.values()) / 4:
        return no(what, written, "bytes are written for layers of", sum(layers.values()))
    for layer in layers:
        extents = subprocess.run(["filefrag", "-v", str(output / "blobs/sha256" / layer)], capture_output=True, text=True, check=True)
        flags = [line for line in extents.stdout.splitlines() if re.match(r" *[0-9]+:", line)]
        if not flags or not all("shared" in line for line in flags):
            return no(what, "not shared:", extents.stdout)
    # The checked bytes are the published bytes: the input changes between the first clone and the first read of it.
    delayed = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=ioctl", "-e", "inject=ioctl:delay_exit=1000000", OCIFY]
    slow = subprocess.Popen([*delayed, "convert", "in", "-o", "slow", "-q", "--threads", "1", "--check", check], cwd=folders[1],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    largest = max(layers, key=layers.get)
    wait_for_clone(folders[1], slow, layers[largest])
    with open(folders[1] / "in/blobs/sha256" / largest, "r+b") as blob:
        blob.write(bytes(100_000))
    _, stderr = slow.communicate()
    if slow.returncode or state(folders[1] / "slow") != expected:
        return no(what, "while the input changes:", slow.returncode, stderr)
    shutil.rmtree(folders[1] / "slow")
    shutil.copy(folders[0] / "in/blobs/sha256" / largest, folders[1] / "in/blobs/sha256" / largest)
    # Later changes of the input do not change the output; and a damaged input is refused with the same message.
    messages = []
    for folder in folders:
        for layer in layers:
            with open(folder / "in/blobs/sha256" / layer, "r+b") as blob:
                blob.seek(layers[layer] // 2)
                blob.write(b"damage")
        command = [OCIFY, "convert", "in", "-o", "damaged", "-q", "--threads", "1", "--check", check]
        run = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        messages.append((run.returncode, run.stderr))
        if left := [path.name for path in folder.iterdir() if path.name not in ("in", "out")]:
            return no(what, "a damaged blob leaves:", left)
    if state(output) != expected:
        counts["losses"] += 1
        return no(what, "the output changes with the input")
    if messages[0] != messages[1] or messages[0][0] != 1:
        return no(what, "a damaged blob:", messages)
    return passed() if verify(what, output) else None


def wait_for_clone(folder, run, size):
    """Waits until a staged blob has its size, which it gets in one step."""
    while run.poll() is None:
        try:
            if any(path.stat().st_size == size for path in folder.glob(".slow.ocify-*/blob-*")):
                return
        except FileNotFoundError:
            pass
        time.sleep(0.01)


def free(place):
    """How many bytes are free, after all is on disk."""
    subprocess.run(["sync", "-f", str(place)], check=True)
    return shutil.disk_usage(place).free
