#!/usr/bin/env python3
"""Checks that imports between the folders and files at the top of src point downward only: that there is no cycle.

usage: scripts/check-cycles.py [--print] [FOLDER] | --self-test

The graph comes from `use crate::…`, other `crate::…` and `super::…` paths, and in the program's own modules `ocify::…`, all
outside comments, strings and tests (`#[cfg(test)]`). A name that lib.rs exports counts as its module. lib.rs and main.rs only
put the rest together and stand apart. With --print, also the layers, from the bottom. FOLDER is src unless given.
"""
import pathlib, re, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATH = re.compile(r"(?<![\w:$])(?P<root>\$?crate|ocify|(?:self::)?super(?:\s*::\s*super)*)\s*::\s*(?P<rest>\{|\*|(?:r#)?\w+)")
RAW_STRING = re.compile(r'b?r(#*)"')
CHARACTER = re.compile(r"b?'(\\(x[0-9a-fA-F]{2}|u\{[0-9a-fA-F_]+\}|.)|[^\\'])'", re.S)


def without_text(source):
    """The source with comments, strings and characters blanked; each line keeps its number."""
    out, at = [], 0

    def blank(end):
        nonlocal at
        out.append(re.sub(r"[^\n]", " ", source[at:end]))
        at = end

    while at < len(source):
        if source.startswith("//", at):
            end = source.find("\n", at)
            blank(len(source) if end < 0 else end)
        elif source.startswith("/*", at):
            depth, end = 1, at + 2
            while depth and end < len(source):
                pair = source[end:end + 2]
                depth += (pair == "/*") - (pair == "*/")
                end += 2 if pair in ("/*", "*/") else 1
            blank(end)
        elif (raw := RAW_STRING.match(source, at)) and not re.match(r"\w", source[at - 1:at]):
            end = source.find('"' + raw[1], raw.end())
            blank(len(source) if end < 0 else end + 1 + len(raw[1]))
        elif source[at] == '"':
            end = at + 1
            while end < len(source) and source[end] != '"':
                end += 2 if source[end] == "\\" else 1
            blank(end + 1)
        elif character := CHARACTER.match(source, at):
            blank(character.end())
        else:
            out.append(source[at])
            at += 1
    return "".join(out)


def closing(source, opening):
    """Where the bracket that opens here ends."""
    depth = 0
    for at in range(opening, len(source)):
        depth += (source[at] in "{([") - (source[at] in "})]")
        if depth == 0:
            return at
    raise SystemExit(f"a bracket that does not end: {source[opening:opening + 60]!r}")


def without_tests(code):
    """The code without what is compiled for tests alone, and the names of modules in other files that are."""
    modules = set()
    while attribute := re.search(r"#\[cfg\((test|all\(test\b[^\]]*)\)\]", code):
        end = attribute.end()
        while more := re.match(r"\s*#\[", code[end:]):
            end = closing(code, end + more.end() - 1) + 1
        if declared := re.match(r"\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;", code[end:]):
            modules.add(declared[1])
            end += declared.end()
        else:
            # An item ends with its block, or with a semicolon before any block.
            while code[end] not in "{;":
                end = closing(code, end) + 1 if code[end] in "([" else end + 1
            end = closing(code, end) + 1 if code[end] == "{" else end + 1
        code = code[:attribute.start()] + re.sub(r"[^\n]", " ", code[attribute.start():end]) + code[end:]
    return code, modules


def group(code, opening):
    """The first names of what stands in braces, each with its place: `{a::b, c}` has a and c."""
    end, depth, names = closing(code, opening), 0, []
    for token in re.finditer(r"[{},]|(?:r#)?\w+|\*", code[opening:end]):
        if token[0] in "{}":
            depth += 1 if token[0] == "{" else -1
        elif token[0] == ",":
            fresh = depth == 1
            if fresh:
                names.append(None)
        elif depth == 1 and (not names or names[-1] is None):
            names[-1:] = [(token[0], opening + token.start())]
    return [name for name in names if name]


def exports(code):
    """The names that a root file makes public or known, each with its module."""
    known = {alias: name for name, alias in re.findall(r"\buse\s+(\w+)\s+as\s+(\w+)\s*;", code)}
    for use in re.finditer(r"\buse\s+(?:crate::|self::)?(\w+)::([^;]*);", code):
        for name in re.findall(r"(\w+)\s*(?=[,}\s]|$)", use[2]):
            known[name] = use[1]
    return known


class Tree:
    """The modules of a folder, and which of them imports which, where."""

    def __init__(self, folder):
        self.folder = folder
        roots = {name: self.code(folder / f"{name}.rs")[0] for name in ("lib", "main") if (folder / f"{name}.rs").exists()}
        self.exports = exports(roots.get("lib", ""))
        self.units = sorted({path.stem for path in folder.iterdir()
                             if (path.is_dir() or path.suffix == ".rs") and path.stem not in roots})
        declared = re.findall(r"\bmod\s+(\w+)\s*;", roots.get("main", ""))
        self.program = set(declared) if "lib" in roots else set()
        self.edges, self.unknown = {unit: {} for unit in self.units}, []
        skipped = set()
        for path in sorted(folder.rglob("*.rs")):
            if path.parent == folder and path.stem in roots or any(part in skipped for part in (path, *path.parents)):
                continue
            code, tests = self.code(path)
            home = path.parent if path.name == "mod.rs" else path.with_suffix("")
            for test in tests:
                skipped |= {home / test, home / f"{test}.rs"}
            self.read(path, code)
        for path in skipped:
            for imports in self.edges.values():
                for places in imports.values():
                    places[:] = [place for place in places if path not in (place[0], *place[0].parents)]
        self.edges = {unit: {to: places for to, places in imports.items() if places} for unit, imports in self.edges.items()}
        self.unknown = [(path, line, name) for path, line, name in self.unknown
                        if not any(part in skipped for part in (path, *path.parents))]

    @staticmethod
    def code(path):
        return without_tests(without_text(path.read_text()))

    def read(self, path, code):
        relative = path.relative_to(self.folder)
        unit = relative.parts[0].removesuffix(".rs")
        depth = len(relative.parts) - (path.name == "mod.rs")
        for found in PATH.finditer(code):
            # `pub(in crate::x)` says who may see it, not what it imports.
            if re.search(r"\(\s*in\s+$", code[:found.start()]):
                continue
            root = found["root"]
            if root == "ocify" and unit not in self.program:
                continue
            inline = len(re.findall(r"\bmod\s+\w+\s*\{", code[:found.start()]))
            if "super" in root and (root.count("super") != depth or inline):
                continue
            names = group(code, found.start("rest")) if found["rest"] == "{" else [(found["rest"], found.start("rest"))]
            for name, at in names:
                self.add(path, unit, code.count("\n", 0, at) + 1, name.removeprefix("r#"), root)

    def add(self, path, unit, line, name, root):
        to = name if name in self.units else self.exports.get(name)
        if name in ("self", "super"):
            return
        if to is None or to not in self.units:
            self.unknown.append((path, line, f"{root}::{name}"))
        elif to != unit:
            self.edges[unit].setdefault(to, []).append((path, line))

    def cycles(self):
        """The largest groups of units that all import each other, directly or not."""
        reach = {unit: self.reachable(unit) for unit in self.units}
        groups = []
        for unit in self.units:
            group = {other for other in reach[unit] if unit in reach[other]}
            if unit in reach[unit] and group not in groups:
                groups.append(group)
        return [sorted(group) for group in groups]

    def reachable(self, unit):
        seen, todo = set(), [unit]
        while todo:
            for to in self.edges[todo.pop()]:
                if to not in seen:
                    seen.add(to)
                    todo.append(to)
        return seen

    def layers(self):
        """The units from the bottom: each imports only from layers below its own. A cycle is as one unit."""
        own = {unit: group for group in self.cycles() for unit in group}
        left, layers = set(self.units), []
        while left:
            below = lambda unit: not (self.reachable(unit) & left) - set(own.get(unit, [unit]))
            layer = [unit for unit in sorted(left) if below(unit)]
            single = [unit for unit in layer if unit not in own]
            cycles = [f"({' '.join(group)})" for group in self.cycles() if group[0] in layer]
            layers.append(single + cycles)
            left -= set(layer)
        return layers

    def report(self):
        """What is wrong, a line each."""
        show = lambda path: path.relative_to(self.folder.parent)
        lines = [f"{show(path)}:{line}: {name} is neither a file or folder at the top nor exported by lib.rs"
                 for path, line, name in self.unknown]
        for group in self.cycles():
            lines.append(f"{self.folder.name}: {len(group)} of {len(self.units)} import each other: {', '.join(group)}")
            for unit in group:
                for to in sorted(self.edges[unit].keys() & set(group)):
                    places = [f"{show(path)}:{line}" for path, line in self.edges[unit][to]]
                    more = f" and {len(places) - 4} more" if len(places) > 4 else ""
                    lines.append(f"  {unit} imports {to}: {', '.join(places[:4])}{more}")
        return lines


def self_test():
    """A crafted tree: what must be seen, and what must not be taken for an import."""
    files = {
        "lib.rs": "mod a; mod b; mod c; mod d;\npub use d as old;\npub use a::{Thing, Other as Renamed};\npub use c::*;\n",
        "main.rs": "mod cli;\nfn main() { cli::run() }\n",
        "cli/mod.rs": "use ocify::Thing;\nfn run() { ocify::old::f() }\n",
        "a.rs": "// use crate::b::X;\n/* use crate::b; /* nested */ crate::b */\nconst T: &str = \"crate::b::X\";\n"
                "const R: &str = r#\"crate::b \" \"#;\nconst C: char = '\"';\nfn f<'a>() { let _ = crate::d::new(); }\n"
                "#[cfg(test)]\nmod tests { use crate::b::X; }\n#[cfg(test)]\n#[rustfmt::skip]\nuse crate::b::{Y, Z};\n"
                "#[cfg(test)]\nmod more;\npub(in crate::b) struct S;\n",
        "a/more.rs": "use crate::b::X;\n",
        "b/mod.rs": "use crate::{a::{Thing, c}, c::Q};\nmod inner;\n",
        "b/inner.rs": "use super::super::d;\nuse super::Q;\n",
        "c.rs": "use super::d::X;\nmacro_rules! m { () => { $crate::a::f() } }\n",
        "d.rs": "fn f() {}\n",
    }

    def tree(changes):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary) / "src"
            for name, text in (files | changes).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)
            return Tree(folder)

    def imports(tree):
        return {unit: sorted(to) for unit, to in tree.edges.items()}

    def expect(found, expected):
        if found != expected:
            raise SystemExit(f"self-test: {found}, expected {expected}")

    sound = tree({})
    expect(imports(sound), {"a": ["d"], "b": ["a", "c", "d"], "c": ["a", "d"], "cli": ["a", "d"], "d": []})
    expect(sound.report(), [])
    expect(sound.layers(), [["d"], ["a"], ["c", "cli"], ["b"]])
    direct = tree({"d.rs": "fn f() {}\nfn g() -> crate::Thing { todo!() }\n"})
    expect(direct.report(), ["src: 2 of 5 import each other: a, d", "  a imports d: src/a.rs:6", "  d imports a: src/d.rs:2"])
    expect(direct.layers(), [["(a d)"], ["c", "cli"], ["b"]])
    indirect = tree({"d.rs": "use crate::{\n    digest::Digest as D,\n    b::inner,\n};\n"})
    expect(indirect.cycles(), [["a", "b", "c", "d"]])
    expect(indirect.report()[0], "src/d.rs:2: crate::digest is neither a file or folder at the top nor exported by lib.rs")
    expect(indirect.edges["d"]["b"][0][1], 3)
    print("self-test: as expected")


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    shown = "--print" in arguments
    rest = [argument for argument in arguments if argument != "--print"]
    if len(rest) > 1 or any(argument.startswith("-") for argument in rest):
        raise SystemExit(__doc__)
    tree = Tree(pathlib.Path(rest[0]).resolve() if rest else ROOT / "src")
    if shown:
        for number, layer in enumerate(tree.layers(), 1):
            print(f"{number}: {', '.join(layer)}")
    lines = tree.report()
    if lines:
        raise SystemExit("\n".join(lines))
    print(f"{len(tree.units)} folders and files at the top of {tree.folder.name}, no cycle")


main(sys.argv[1:])
