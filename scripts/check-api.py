#!/usr/bin/env python3
"""Checks that docs/api.txt lists the public API of the library as it is.

usage: scripts/check-api.py [--record] [FOLDER]

FOLDER has what `cargo doc --no-deps` made of the library, target/doc/ocify by default. --record writes docs/api.txt anew: whoever
changes the API commits it with the change, so that each change of it is seen, and the next version can be chosen by it.
"""
import difflib, html, pathlib, re, sys

arguments = sys.argv[1:]
record = "--record" in arguments
arguments = [argument for argument in arguments if argument != "--record"]
root = pathlib.Path(__file__).resolve().parent.parent
folder = pathlib.Path(arguments[0]) if arguments else root / "target/doc/ocify"
committed = root / "docs/api.txt"


def text(markup):
    markup = re.sub(r"<details.*?<summary.*?</summary>|</details>", "", markup, flags=re.S)
    lines = html.unescape(re.sub(r"<[^>]+>", "", markup.replace("</div>", "</div>\n"))).replace("\xa0", " ").splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())


def item(page):
    """An item's declaration, its own functions, and the traits that it implements by its own code or by derive."""
    content = page.read_text()
    yield text(re.search(r'<pre class="rust item-decl"><code>(.*?)</code></pre>', content, re.S).group(1))
    own = re.search(r'<div id="implementations-list">(.*?)(?=<h2 id=|</section>\s*</div>\s*</main>)', content, re.S)
    functions = re.findall(r'<h4 class="code-header">(.*?)</h4>', own.group(1), re.S) if own else []
    traits = re.search(r'<div id="trait-implementations-list">(.*?)(?=<h2 id="synthetic|</main>)', content, re.S)
    implemented = re.findall(r'<h3 class="code-header">(.*?)</h3>', traits.group(1), re.S) if traits else []
    for header in [*functions, *sorted(implemented)]:
        line = " ".join(text(header).split())
        if "StructuralPartialEq" not in line:
            yield f"    {line}"


# docs/limits.md has the limits, with a test of its own.
pages = sorted(set(re.findall(r'<li><a href="((?!limits/)[^"#]+)"', (folder / "all.html").read_text())))
if not pages:
    sys.exit(f"{folder} has no documentation: run `cargo doc --no-deps`")
listing = "\n".join("\n".join(item(folder / page)) for page in pages) + "\n"
listing = re.sub(r"\n{2,}", "\n", listing)
if record:
    committed.write_text(listing)
    sys.exit()
known = committed.read_text()
if known != listing:
    sys.stdout.writelines(difflib.unified_diff(
        known.splitlines(keepends=True), listing.splitlines(keepends=True), "docs/api.txt", "the documentation", n=1))
    sys.exit("the public API has changed: run `scripts/check-api.py --record`, and commit docs/api.txt with the change")
print(f"the public API is that of docs/api.txt, {len(pages)} items")
