//! Runs the program on a terminal and records the screen.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A process whose standard error is a terminal.
pub struct Terminal {
    pub child: Child,
    master: File,
    pub screen: Screen,
}

impl Terminal {
    /// Starts a program on a screen of this width. Standard output is not on the screen.
    pub fn start(mut command: Command, columns: u16) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let name = name.to_str().unwrap();
        let terminal: OwnedFd = File::options().write(true).open(name).unwrap().into();
        command
            .env("TERM", "xterm")
            .stderr(terminal)
            .stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        Terminal {
            child,
            master: master.into(),
            screen: Screen::new(usize::from(columns)),
        }
    }

    /// Waits until the screen shows some text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        while !self.screen.text().contains(text) {
            assert!(
                self.read(),
                "{text} was never shown: {}",
                self.screen.text()
            );
        }
    }

    /// Reads more output. Returns `false` at the end.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let count = match self.master.read(&mut buffer) {
            Ok(count) => count,
            // No process has the terminal open any more.
            Err(error) if error.raw_os_error() == Some(5) => 0,
            Err(error) if error.kind() == ErrorKind::Interrupted => return true,
            Err(error) => panic!("{error}"),
        };
        self.screen.feed(&buffer[..count]);
        count > 0
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the program to exit. The final text is in `screen`.
    pub fn end(&mut self) -> ExitStatus {
        while self.read() {}
        self.child.wait().unwrap()
    }
}

/// The text on a screen. Only supports the escape sequences that the program uses.
pub struct Screen {
    columns: usize,
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// An escape sequence so far.
    escape: Option<String>,
    /// The bytes of a character so far.
    pending: Vec<u8>,
    /// Whether a line was wider than the screen.
    pub wrapped: bool,
}

impl Screen {
    fn new(columns: usize) -> Screen {
        Screen {
            columns,
            rows: vec![Vec::new()],
            row: 0,
            column: 0,
            escape: None,
            pending: Vec::new(),
            wrapped: false,
        }
    }

    /// All lines, without the empty ones at the end.
    pub fn text(&self) -> String {
        let lines = self.rows.iter().map(|row| row.iter().collect::<String>());
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let valid = match std::str::from_utf8(&self.pending) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text: Vec<u8> = self.pending.drain(..valid).collect();
        for character in String::from_utf8(text).unwrap().chars() {
            self.put(character);
        }
    }

    fn put(&mut self, character: char) {
        if let Some(mut escape) = self.escape.take() {
            escape.push(character);
            if character.is_ascii_alphabetic() {
                self.run(&escape);
            } else {
                self.escape = Some(escape);
            }
            return;
        }
        match character {
            '\x1b' => self.escape = Some(String::new()),
            '\r' => self.column = 0,
            '\n' => self.next_row(),
            character => {
                if self.column == self.columns {
                    self.wrapped = true;
                    self.column = 0;
                    self.next_row();
                }
                let row = &mut self.rows[self.row];
                if row.len() <= self.column {
                    row.resize(self.column + 1, ' ');
                }
                row[self.column] = character;
                self.column += 1;
            }
        }
    }

    fn next_row(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(Vec::new());
        }
    }

    fn run(&mut self, escape: &str) {
        match escape {
            "[2K" => self.rows[self.row].clear(),
            "[J" => {
                self.rows[self.row].truncate(self.column);
                self.rows.truncate(self.row + 1);
            }
            _ => {
                let count = escape
                    .strip_prefix('[')
                    .and_then(|rest| rest.strip_suffix('A'));
                let count: usize = count.expect(escape).parse().unwrap();
                self.row = self.row.checked_sub(count).unwrap();
            }
        }
    }
}
