//! Lines at the end of a terminal that change in place. There is one screen for the whole process.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lines::columns;

/// The size of a screen, in characters.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// The size if it is unknown.
const USUAL: Size = Size {
    columns: 80,
    rows: 24,
};

/// The lines on the screen.
#[derive(Default)]
struct Drawn {
    /// Number of columns of each line.
    lines: Vec<usize>,
    /// Whether drawing has ended.
    closed: bool,
}

static DRAWN: Mutex<Drawn> = Mutex::new(Drawn {
    lines: Vec::new(),
    closed: false,
});

fn drawn() -> MutexGuard<'static, Drawn> {
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the terminal understands more than text.
pub fn is_capable() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// The size of the terminal of a stream.
pub fn size_of(stream: impl std::os::fd::AsFd) -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    let size = Size {
        columns: usize::from(size.ws_col),
        rows: usize::from(size.ws_row),
    };
    (size.columns > 0 && size.rows > 0).then_some(size)
}

/// Replaces the lines on the screen.
pub fn draw(lines: impl FnOnce(Size) -> Vec<String>) {
    let mut drawn = drawn();
    if drawn.closed {
        return;
    }
    let size = size_of(io::stderr()).unwrap_or(USUAL);
    let lines = lines(size);
    let mut text = go_back(&drawn, size);
    for line in &lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\x1b[2K{line}");
    }
    text.push_str("\x1b[J");
    drawn.lines = lines.iter().map(|line| columns(line)).collect();
    show(&text);
}

/// Removes what was drawn.
pub fn erase() {
    erase_drawn(&mut drawn());
}

/// Removes the lines and ends drawing.
pub fn close() {
    let mut drawn = drawn();
    erase_drawn(&mut drawn);
    drawn.closed = true;
}

fn erase_drawn(drawn: &mut Drawn) {
    if !drawn.lines.is_empty() {
        let size = size_of(io::stderr()).unwrap_or(USUAL);
        show(&format!("{}\x1b[J", go_back(drawn, size)));
        drawn.lines.clear();
    }
}

/// Moves to the start of the lines. On a screen that has become narrower, a line may take several rows.
fn go_back(drawn: &Drawn, size: Size) -> String {
    let rows = drawn.lines.iter();
    let rows: usize = rows
        .map(|columns| columns.div_ceil(size.columns).max(1))
        .sum();
    match rows {
        0 => String::new(),
        rows => format!("\r\x1b[{rows}A"),
    }
}

fn show(text: &str) {
    let mut stderr = io::stderr().lock();
    // The terminal may be closed.
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}
