//! `--generate`: creates the manual page and completions from the definitions of the options.

use std::io::{self, Write};

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::Args;

/// What can be generated.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Document {
    Man,
    CompleteBash,
    CompleteZsh,
    CompleteFish,
}

/// Writes the document to standard output.
pub fn run(document: Document) -> io::Result<()> {
    let bytes = match document {
        Document::Man => manual()?,
        Document::CompleteBash => completions(Shell::Bash),
        Document::CompleteZsh => completions(Shell::Zsh),
        Document::CompleteFish => completions(Shell::Fish),
    };
    io::stdout().lock().write_all(&bytes)
}

fn completions(shell: Shell) -> Vec<u8> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "ocify", &mut bytes);
    bytes
}

/// One page for the program and all its commands, so that `man ocify` finds every option.
fn manual() -> io::Result<Vec<u8>> {
    let mut program = Args::command().disable_help_subcommand(true);
    program.build();
    let commands: Vec<Command> = program.get_subcommands().cloned().collect();
    let name = program.get_name().to_owned();
    let page = Man::new(program);
    let mut bytes = Vec::new();
    page.render_title(&mut bytes)?;
    page.render_name_section(&mut bytes)?;
    page.render_synopsis_section(&mut bytes)?;
    page.render_description_section(&mut bytes)?;
    page.render_options_section(&mut bytes)?;
    for command in commands {
        let heading = format!("{name} {}", command.get_name()).to_uppercase();
        writeln!(bytes, ".SH \"{heading}\"")?;
        bytes.extend(section(command)?);
    }
    page.render_extra_section(&mut bytes)?;
    page.render_version_section(&mut bytes)?;
    Ok(bytes)
}

/// The part of the page about one command. Its sections become subsections.
fn section(command: Command) -> io::Result<Vec<u8>> {
    let page = Man::new(command);
    let mut bytes = Vec::new();
    page.render_synopsis_section(&mut bytes)?;
    page.render_description_section(&mut bytes)?;
    page.render_options_section(&mut bytes)?;
    page.render_extra_section(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(|line| match line.strip_prefix(".SH ") {
        Some(heading) => format!(".SS {heading}\n"),
        None => format!("{line}\n"),
    });
    Ok(lines.collect::<String>().into_bytes())
}
