//! A temporary folder in which the program runs.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::files::Files;
use super::layout::Layout;

/// A temporary folder. It also contains the temporary files of the program, so that tests notice files that are left.
pub struct Sandbox {
    folder: TempDir,
}

/// The output and exit status of a run.
pub struct Run {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    /// Without the closing line, which has a time in it.
    pub stderr: String,
    /// What a conversion says in the end.
    pub closing: Option<String>,
}

impl Sandbox {
    pub fn new() -> Sandbox {
        Sandbox {
            folder: TempDir::new().unwrap(),
        }
    }

    /// With `app.tar` in it.
    pub fn with_archive(files: &Files) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.write("app.tar", &files.tar());
        sandbox
    }

    /// With the files in the folder `app`.
    pub fn with_folder(files: &Files) -> Sandbox {
        let sandbox = Sandbox::new();
        files.write(&sandbox.path("app"));
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A command for the program with these arguments in this folder.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_ocify"), args)
    }

    fn command_of(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env_remove("OCIFY_CACHE")
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run::new(self.command(args).spawn().unwrap())
    }

    /// Runs another program in this folder.
    pub fn run_program(&self, args: &[&str]) -> Run {
        Run::new(self.command_of(args[0], &args[1..]).spawn().unwrap())
    }

    /// Runs the program through another one, which gets its path and arguments after its own.
    pub fn run_by(&self, starter: &[&str], args: &[&str]) -> Run {
        let args = [&starter[1..], &[env!("CARGO_BIN_EXE_ocify")], args].concat();
        Run::new(self.command_of(starter[0], &args).spawn().unwrap())
    }

    /// Runs the program without the capabilities that let root ignore modes.
    pub fn run_unprivileged(&self, args: &[&str]) -> Run {
        if !rustix::process::geteuid().is_root() {
            return self.run(args);
        }
        self.run_by(&["setpriv", "--inh-caps=-all", "--bounding-set=-all"], args)
    }

    /// Runs the program in a shell after another command, such as `umask 077`.
    pub fn run_after(&self, before: &str, args: &[&str]) -> Run {
        let script = format!("{before} && exec \"$0\" \"$@\"");
        self.run_by(&["sh", "-c", &script], args)
    }

    /// Runs the program with this much address space, in MiB: more than it has in memory, since its stacks and code are not in
    /// memory as a whole.
    pub fn run_within(&self, mebibytes: u32, args: &[&str]) -> Run {
        // By default, glibc may reserve 64 MiB of addresses for each thread, or not, as time would have it.
        let limit = format!("export MALLOC_ARENA_MAX=1; ulimit -v {}", mebibytes << 10);
        self.run_after(&limit, args)
    }

    /// `ocify convert` with these arguments.
    pub fn convert(&self, args: &[&str]) -> Run {
        self.run(&[&["convert", "--no-fsync"], args].concat())
    }

    /// The program with a pipe as its standard input.
    pub fn run_with_stdin(&self, args: &[&str], input: &[u8]) -> Run {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The program may end without reading all.
        let _ = stdin.write_all(input);
        drop(stdin);
        Run::new(child)
    }

    /// Converts to the folder `out` without warnings, and reads the output.
    pub fn converted(&self, args: &[&str]) -> Layout {
        self.convert(&[args, &["-o", "out"]].concat()).succeeds();
        self.layout("out")
    }

    /// Converts to the folder `out` with these warnings, and reads the output.
    #[track_caller]
    pub fn converted_with(&self, args: &[&str], warnings: &str) -> Layout {
        self.convert(&[args, &["-o", "out"]].concat())
            .warns(warnings);
        self.layout("out")
    }

    /// A checked layout, folder or tar.
    pub fn layout(&self, name: &str) -> Layout {
        let layout = Layout::open(&self.path(name));
        layout.check();
        layout
    }

    /// The names of all files and folders.
    pub fn snapshot_without_content(&self) -> Vec<String> {
        let mut found = BTreeMap::new();
        collect(self.folder.path(), self.folder.path(), &mut found);
        found.into_keys().collect()
    }

    /// Every file and folder with its bytes.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(self.folder.path(), self.folder.path(), &mut found);
        found
    }
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            found.insert(format!("{name}/"), Vec::new());
            collect(root, &path, found);
        } else if metadata.is_file() {
            found.insert(name, fs::read(&path).unwrap());
        } else {
            found.insert(name, b"neither file nor folder".to_vec());
        }
    }
}

impl Run {
    /// Waits for a program that was started with pipes.
    pub fn new(child: Child) -> Run {
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines = stderr.split_inclusive('\n');
        // A busy machine takes longer than a run may before it tells how far it is.
        let lines = lines.filter(|line| !line.starts_with("ocify: progress: "));
        let (closing, lines): (Vec<&str>, Vec<&str>) =
            lines.partition(|line| line.starts_with("ocify: converted "));
        Run {
            status: output.status,
            stdout: output.stdout,
            stderr: lines.concat(),
            closing: closing.first().map(|line| line.trim_end().to_owned()),
        }
    }

    pub fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// The run succeeded without messages.
    #[track_caller]
    pub fn succeeds(&self) -> &Run {
        assert_eq!((self.status.code(), self.stderr.as_str()), (Some(0), ""));
        self
    }

    /// The run succeeded with these warnings.
    #[track_caller]
    pub fn warns(&self, stderr: &str) -> &Run {
        assert_eq!(
            (self.status.code(), self.stderr.as_str()),
            (Some(0), stderr)
        );
        self
    }

    /// The run failed and printed only this message.
    #[track_caller]
    pub fn fails(&self, stderr: &str) -> &Run {
        assert_eq!(
            (self.status.code(), self.stderr.as_str()),
            (Some(1), stderr)
        );
        assert_eq!(self.stdout(), "");
        self
    }

    /// The command line was refused with a message that contains `part`.
    #[track_caller]
    pub fn is_wrong_usage(&self, part: &str) -> &Run {
        assert_eq!(self.status.code(), Some(2), "{}", self.stderr);
        assert!(self.stderr.contains(part), "{}", self.stderr);
        assert_eq!(self.stdout(), "");
        self
    }
}
