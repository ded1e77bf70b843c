//! An existing tar at the path of the output, which is added to or overwritten.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use crate::compression::Codec;
use crate::error::{Error, OutputError, Result};
use crate::formats::Input;
use crate::fs::Dir;
use crate::interrupt::Interrupt;
use crate::source::{Archive, Files, Spool};
use crate::tar::{BLOCK, Header};

/// Reads an existing tar as a layout.
pub(super) fn open(parent: &Dir, name: &str, path: &Path, interrupt: &Interrupt) -> Result<Input> {
    let not_a_layout = || OutputError::not_a_layout(path);
    let file = parent.open_file(name)?.ok_or_else(not_a_layout)?;
    let metadata = file.metadata().map_err(Error::io("examine", path))?;
    let codec = Codec::sniff(&beginning(&file, path)?);
    let archive = if codec == Codec::None {
        Archive::in_open_file(Arc::new(file), 0, metadata.len())
    } else {
        let spool = Spool::new(parent.own_path());
        match spool.decode(codec, BufReader::new(file), path, None, interrupt)? {
            (archive, None) => archive,
            (_, Some(damage)) => return Err(damage),
        }
    };
    let files = Files::in_archive(&Arc::new(archive)).map_err(|error| match error.fact() {
        // These say nothing about the format of the tar.
        Error::Io { .. } | Error::Limit { .. } | Error::Interrupted => error,
        _ => not_a_layout(),
    })?;
    if !Input::is_layout(&files) {
        return Err(not_a_layout());
    }
    Input::read_layout(path.display().to_string(), files)
}

/// Refuses to overwrite a file that is not a tar, because the name may be a mistake.
pub(super) fn refuse_other_file(parent: &Dir, name: &str, path: &Path) -> Result<()> {
    let Some(file) = parent.open_file(name)? else {
        return Ok(());
    };
    let beginning = beginning(&file, path)?;
    let is_tar = match beginning.first_chunk::<BLOCK>() {
        Some(block) => *block == [0; BLOCK] || Header::new(block).checksum_matches(),
        None => beginning.is_empty(),
    };
    if is_tar || Codec::sniff(&beginning) != Codec::None {
        return Ok(());
    }
    Err(OutputError::NotATar.into())
}

/// The first block of a file, or less if the file is shorter.
fn beginning(file: &File, path: &Path) -> Result<Vec<u8>> {
    let mut beginning = Vec::new();
    let mut reader = file.take(BLOCK as u64);
    let read = reader.read_to_end(&mut beginning);
    read.map_err(Error::io("read", path))?;
    io::Seek::rewind(&mut &*file).map_err(Error::io("read", path))?;
    Ok(beginning)
}
