"""One conversion of torture.py: what its output was before, and what it may be after a kill or an error."""
import shutil, subprocess, time

from torture_outputs import OCIFY, convert, copy, counts, includes, no, passed, state, temporary, verify

# For an output that is not a layout.
KINDS = {"dir": ["--to", "dir"], "archive": ["--to", "docker-archive"]}
# For an output that exists.
OPTIONS = {"added": ["--add"], "replaced": ["--replace"]}


class Scenario:
    """A conversion to nothing yet, to an empty folder, or to an existing layout: an existing folder is added to, a tar is
    overwritten; `added` and `replaced` are the other way round."""

    always = []
    state = staticmethod(state)
    temporary = staticmethod(temporary)
    verify = staticmethod(verify)

    def __init__(self, work, kind, before):
        self.always = KINDS.get(kind, self.always)
        existing = before != "new"
        self.name = f"{before} {kind}"
        self.folder = work / self.name.replace(" ", "-")
        self.output = self.folder / ("out.tar" if kind in ("tar", "archive") else "out")
        self.old_copy = work / (self.folder.name + "-old") if existing else None
        self.input = work / "new-image.tar"
        self.options = self.always + OPTIONS.get(before, [])
        self.folder.mkdir()
        if existing:
            if before == "empty":
                self.output.mkdir()
            else:
                convert(work / "old-image.tar", self.output, *self.always)
            copy(self.output, self.old_copy)
        self.old = self.state(self.output)
        started = time.monotonic()
        convert(self.input, self.output, *self.options)
        self.seconds = time.monotonic() - started
        self.new = self.state(self.output)
        assert self.old != self.new
        self.verify(self.name, self.output)
        self.reset()

    def reset(self):
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        if self.old_copy:
            copy(self.old_copy, self.output)

    def command(self, *more):
        return [OCIFY, "convert", str(self.input), "-o", str(self.output), "-q", *self.options, *more]

    def is_old(self, found):
        # An empty folder is marked as a layout before anything is written to it, because the mark is what is locked.
        return found == self.old or (self.old == {} and isinstance(found, dict) and found.keys() <= {"oci-layout"})

    def is_between(self, found):
        """Blobs that no index refers to: neither image is damaged."""
        if "index.json" not in self.new:
            return False
        index = found.get("index.json")
        of = self.new if index == self.new["index.json"] else self.old
        return includes(found, of) and found.keys() <= self.new.keys()

    def judge(self, what, status, killed):
        """What must hold immediately, and after the next run."""
        found = self.state(self.output)
        left = self.temporary(self.folder, self.output)
        old, new = self.is_old(found), found == self.new
        if killed and isinstance(found, dict) and not (old or new):
            old = new = self.is_between(found)
        if not (old or new):
            counts["losses"] += 1
            return no(what, "the output is neither the old one nor the new one", self.difference(found))
        if status == 0 and not new:
            counts["losses"] += 1
            return no(what, "exit status 0, but the old output")
        # If only the removal failed, the next run has to do it.
        if left and not killed and status != 0:
            return no(what, "left behind:", left)
        if not left and found and (found == self.old or new) and not self.verify(what, self.output):
            return None
        if killed or left:
            again = subprocess.run(self.command(), capture_output=True, text=True)
            if again.returncode:
                return no(what, "the next run fails:", again.stderr)
            if self.state(self.output) != self.new:
                counts["losses"] += 1
                return no(what, "the next run does not end with the new output")
            if left := self.temporary(self.folder, self.output):
                return no(what, "the next run leaves", left)
            self.verify(what, self.output)
        return passed()

    def difference(self, found):
        if not isinstance(found, dict):
            return found
        return [name for name in found | self.new if found.get(name) != self.new.get(name)][:5]
