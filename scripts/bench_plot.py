"""An SVG of the measurements: two panels of horizontal bars, wall time and peak memory, ocify against skopeo."""
from html import escape

COLOURS = {"ocify": "#1f6feb", "skopeo": "#9aa4b2"}
WIDTH, LABELS, GAP, BAR, ROW = 980, 330, 70, 11, 34


def panel(x, width, title, rows, value, show):
    """One panel's elements; `value` turns a measurement into a number, `show` a number into its label."""
    largest = max((value(m) for _, programs in rows for m in programs.values()), default=1)
    yield f'<text x="{x}" y="58" class="head">{title}</text>'
    for number, (_, programs) in enumerate(rows):
        for offset, program in enumerate(COLOURS):
            if program not in programs:
                continue
            amount = value(programs[program])
            length = max(1.0, amount / largest * width)
            y = 70 + number * ROW + offset * (BAR + 2)
            yield f'<rect x="{x}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{COLOURS[program]}"/>'
            yield f'<text x="{x + length + 4:.1f}" y="{y + BAR - 2}" class="value">{show(amount)}</text>'


def plot(rows, facts):
    height = 70 + len(rows) * ROW + 30
    width = (WIDTH - LABELS - 2 * GAP) / 2
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        "<style>text{font:12px sans-serif;fill:#24292f}.head{font-weight:bold}.value,.facts{font-size:10px;fill:#57606a}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    x = LABELS
    for program, colour in COLOURS.items():
        out.append(f'<rect x="{x}" y="16" width="12" height="12" fill="{colour}"/><text x="{x + 17}" y="26">{program}</text>')
        x += 90
    for number, (title, _) in enumerate(rows):
        out.append(f'<text x="{LABELS - 10}" y="{70 + number * ROW + 16}" text-anchor="end">{escape(title)}</text>')
    out += panel(LABELS, width, "wall time, seconds", rows, lambda m: m["wall"], lambda v: f"{v:.2f}")
    out += panel(LABELS + width + GAP, width, "peak memory, MiB", rows, lambda m: m["peak"] / (1 << 20), lambda v: f"{v:.0f}")
    out.append(f'<text x="10" y="{height - 10}" class="facts">{escape(facts)}</text>')
    return "\n".join(out + ["</svg>", ""])
