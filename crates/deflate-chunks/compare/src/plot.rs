//! The frontier as SVG: a panel for each kind, size to the right, speed up on a logarithmic scale.

use crate::encoders::Library;
use crate::{Kind, Run};
use std::fmt::Write;

const COLUMNS: usize = 3;
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 34.0;
const LEGEND: f64 = 30.0;

fn colour(library: Library) -> &'static str {
    match library {
        Library::DeflateChunks => "#c0392b",
        Library::ZlibRs => "#2471a3",
        Library::ZlibNg => "#7d8a97",
        Library::Libdeflate => "#239b56",
    }
}

/// A scale from values to places.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }
}

pub fn svg(kinds: &[Kind], runs: &[Run]) -> String {
    let rows = kinds.len().div_ceil(COLUMNS);
    let (width, height) = (WIDTH * COLUMNS as f64, HEIGHT * rows as f64 + LEGEND);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (index, library) in Library::ALL.into_iter().enumerate() {
        let x = LEFT + 150.0 * index as f64;
        let _ = writeln!(
            text,
            "<circle cx=\"{x}\" cy=\"15\" r=\"4\" fill=\"{}\"/><text x=\"{}\" y=\"19\">{}</text>",
            colour(library),
            x + 9.0,
            library.name()
        );
    }
    for (index, kind) in kinds.iter().enumerate() {
        let (x, y) = (
            WIDTH * (index % COLUMNS) as f64,
            LEGEND + HEIGHT * (index / COLUMNS) as f64,
        );
        let _ = writeln!(text, "<g transform=\"translate({x} {y})\">");
        panel(&mut text, index, kind, runs);
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

fn panel(text: &mut String, index: usize, kind: &Kind, runs: &[Run]) {
    let length = kind.input.len();
    let size = |run: &Run| 100.0 * run.results[index].size as f64 / length as f64;
    let speed = |run: &Run| run.results[index].best(length).log10();
    let (least, most) = range(runs.iter().map(size));
    let (slowest, fastest) = range(runs.iter().map(speed));
    let margin = ((most - least) * 0.05).max(0.02);
    let across = Scale {
        low: least - margin,
        high: most + margin,
        from: LEFT,
        to: WIDTH - RIGHT,
    };
    let up = Scale {
        low: slowest - 0.05,
        high: fastest + 0.05,
        from: HEIGHT - BOTTOM,
        to: TOP,
    };

    let _ = writeln!(
        text,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text>",
        TOP - 10.0,
        kind.name
    );
    let _ = writeln!(
        text,
        "<path d=\"M{LEFT} {TOP}V{}H{}\" fill=\"none\" stroke=\"#555\"/>",
        HEIGHT - BOTTOM,
        WIDTH - RIGHT
    );
    for mark in [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0_f64] {
        let place = up.place(mark.log10());
        if (TOP..=HEIGHT - BOTTOM).contains(&place) {
            let _ = writeln!(
                text,
                "<path d=\"M{LEFT} {place:.1}H{}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{mark}</text>",
                WIDTH - RIGHT,
                LEFT - 5.0,
                place + 4.0
            );
        }
    }
    for part in 0..=4 {
        let mark = least + (most - least) * f64::from(part) / 4.0;
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{mark:.2}</text>",
            across.place(mark),
            HEIGHT - BOTTOM + 15.0
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#555\">% of the input's size; MB/s</text>",
        WIDTH - RIGHT,
        HEIGHT - 5.0
    );
    for library in Library::ALL {
        let of_library = || runs.iter().filter(move |run| run.library == library);
        let places: Vec<String> = of_library()
            .map(|run| format!("{:.1},{:.1}", across.place(size(run)), up.place(speed(run))))
            .collect();
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-opacity=\"0.5\"/>",
            places.join(" "),
            colour(library)
        );
        for run in of_library() {
            let (x, y) = (across.place(size(run)), up.place(speed(run)));
            let _ = writeln!(
                text,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{}\"><title>{} {}</title></circle>",
                colour(library),
                library.name(),
                run.level
            );
        }
    }
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}
