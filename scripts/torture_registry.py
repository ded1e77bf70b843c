"""The storage tree of a registry as an output of torture.py."""
import hashlib, subprocess

from torture_outputs import OCIFY, counts, includes, no, passed, run_writers
from torture_scenario import Scenario

TO = ["--to", "registry"]
CURRENT = "/current/link"


def is_staged(path):
    return any(".ocify-" in part for part in path.parts)


def state(output):
    """{name: digest} of the files of a tree, without what is staged; None where there is none."""
    if not output.exists():
        return None
    files = [path for path in sorted(output.rglob("*")) if path.is_file() and not is_staged(path.relative_to(output))]
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def temporary(folder, output):
    left = [path.name for path in folder.iterdir() if path != output]
    if output.is_dir():
        left += [str(path) for path in output.rglob(".*ocify-*")]
    return left


known_good = set()


def verify(what, output):
    key = repr(state(output))
    counts["outputs verified"] += 1
    if key in known_good:
        return True
    run = subprocess.run([OCIFY, "verify", str(output)], capture_output=True, text=True)
    if run.returncode:
        no(what, "does not verify", run.stdout[-400:], run.stderr[-400:])
        return False
    known_good.add(key)
    return True


def tags(files):
    return {name: digest for name, digest in files.items() if name.endswith(CURRENT)}


class RegistryScenario(Scenario):
    always = TO
    state = staticmethod(state)
    temporary = staticmethod(temporary)
    verify = staticmethod(verify)

    def is_old(self, found):
        return found == self.old or (not self.old and not found)

    def is_between(self, found):
        """All that the old tags need is there, and where a tag has come or moved, all that the new ones need."""
        rest = {name: digest for name, digest in self.new.items() if not name.endswith(CURRENT)}
        old = self.old or {}
        needed = {name: digest for name, digest in old.items() if not name.endswith(CURRENT)}
        allowed = all(digest in (old.get(name), self.new.get(name)) for name, digest in tags(found).items())
        moved = any(digest != old.get(name) for name, digest in tags(found).items())
        kept = tags(old).keys() <= tags(found).keys()
        return allowed and kept and includes(found, rest if moved else needed) and found.keys() <= self.new.keys() | old.keys()


def registry_writers(work, kill):
    """Eight at once into one tree. It must have all tags of the writers that succeeded."""
    folder = work / "many"
    output = folder / "out"
    what = "eight writers into one registry tree" + (", one of them killed" if kill else "")
    wanted = run_writers(what, work, folder, output, kill, ["--no-fsync", *TO])
    if wanted is None:
        return None
    for name, digest in wanted.items():
        repository, tag = name.split(":")
        link = output / f"docker/registry/v2/repositories/{repository}/_manifests/tags/{tag}/current/link"
        if not link.is_file() or link.read_text() != digest:
            counts["losses"] += 1
            return no(what, "lost:", name)
    if left := temporary(folder, output):
        return no(what, "left behind:", left)
    return passed() if verify(what, output) else None
