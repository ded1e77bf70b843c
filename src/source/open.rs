//! The outside of an input: a folder, an archive, a compressed archive, a stream, a manifest in a folder.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::files::Files;
use crate::compression::Codec;
use crate::compression::Decoder;
use crate::error::Error;
use crate::error::Result;
use crate::fs::FreeSpace;
use crate::fs::HoleWriter;
use crate::interrupt::Interrupt;
use crate::tar::{BLOCK, Header};

/// An input whose files can be read by name.
pub(crate) struct Opened {
    pub files: Files,
    /// The manifest that the user named, when it is one file of a folder.
    pub manifest: Option<String>,
    /// Why an archive could not be read to its end. The files are then those before that place.
    pub damage: Option<Error>,
}

impl From<Files> for Opened {
    fn from(files: Files) -> Opened {
        Opened {
            files,
            manifest: None,
            damage: None,
        }
    }
}

const BUFFER: usize = 1 << 20;

pub(crate) fn open(path: &Path, temporary: &Path, interrupt: &Interrupt) -> Result<Opened> {
    if path == Path::new("-") {
        return open_stdin(temporary, interrupt);
    }
    let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
    if metadata.is_dir() {
        return Ok(Files::in_folder(path)?.into());
    }
    let file = File::open(path).map_err(Error::io("open", path))?;
    if !metadata.is_file() {
        // A named pipe, or /dev/stdin.
        return open_stream(file, path, temporary, interrupt);
    }
    if let Some(opened) = open_manifest(&file, path)? {
        return Ok(opened);
    }
    open_file(file, path, temporary, interrupt)
}

/// A manifest alone: its blobs are looked for beside it.
fn open_manifest(file: &File, path: &Path) -> Result<Option<Opened>> {
    let mut beginning = [0; 1];
    let read = file.take(1).read(&mut beginning);
    let count = read.map_err(Error::io("read", path))?;
    rewind(file, path)?;
    let name = path.file_name().and_then(|name| name.to_str());
    match name {
        Some(name) if &beginning[..count] == b"{" => {
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            let files = Files::in_folder(folder.unwrap_or(Path::new(".")))?;
            Ok(Some(Opened {
                files,
                manifest: Some(name.to_owned()),
                damage: None,
            }))
        }
        _ => Ok(None),
    }
}

fn rewind(mut file: &File, path: &Path) -> Result<()> {
    io::Seek::rewind(&mut file).map_err(Error::io("read", path))
}

fn open_stdin(temporary: &Path, interrupt: &Interrupt) -> Result<Opened> {
    let path = Path::new("standard input");
    let stdin = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(Error::io("read", path))?;
    let mut file = File::from(stdin);
    // `ocify … < file` can be read in place, if nobody has read from it before.
    let in_place = file.metadata().is_ok_and(|metadata| metadata.is_file())
        && io::Seek::stream_position(&mut file).is_ok_and(|position| position == 0);
    if in_place {
        open_file(file, path, temporary, interrupt)
    } else {
        open_stream(file, path, temporary, interrupt)
    }
}

fn open_file(file: File, path: &Path, temporary: &Path, interrupt: &Interrupt) -> Result<Opened> {
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    if length == 0 {
        return Err(Error::Empty);
    }
    let mut reader = BufReader::with_capacity(BUFFER, &file);
    let codec = sniff(&mut reader, path)?;
    if codec == Codec::None {
        drop(reader);
        return index(file, length, codec, None);
    }
    let (file, length, damage) = spool(codec, reader, path, temporary, interrupt)?;
    index(file, length, codec, damage)
}

fn open_stream(file: File, path: &Path, temporary: &Path, interrupt: &Interrupt) -> Result<Opened> {
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let codec = sniff(&mut reader, path)?;
    let (file, length, damage) = spool(codec, reader, path, temporary, interrupt)?;
    if length == 0 && damage.is_none() {
        return Err(Error::Empty);
    }
    index(file, length, codec, damage)
}

fn sniff(reader: &mut BufReader<impl Read>, path: &Path) -> Result<Codec> {
    let beginning = reader.fill_buf().map_err(Error::io("read", path))?;
    Ok(Codec::sniff(beginning))
}

/// Decodes a stream into a file without a name, so that it can be read by position and cannot be left behind. Where the
/// stream is damaged, the file has what comes before the damage.
fn spool(
    codec: Codec,
    reader: impl BufRead,
    path: &Path,
    temporary: &Path,
    interrupt: &Interrupt,
) -> Result<(File, u64, Option<Error>)> {
    let file = tempfile::tempfile_in(temporary)
        .map_err(Error::io("create a temporary file in", temporary))?;
    let free_space = FreeSpace::new(temporary)?;
    let damaged = |source| match codec {
        Codec::None => Error::io("read", path)(source),
        codec => Error::Decode {
            codec: codec.name(),
            source,
        },
    };
    let mut decoder = Decoder::new(codec, reader).map_err(damaged)?;
    let mut writer = HoleWriter::new(&file);
    let mut buffer = Vec::new();
    let not_written = || Error::io("write a temporary file in", temporary);
    loop {
        interrupt.check()?;
        let result = decoder.read_chunk(&mut buffer, BUFFER);
        writer.write(&buffer).map_err(not_written())?;
        free_space.check(writer.length())?;
        let damage = match result {
            Ok(()) if buffer.is_empty() => None,
            Ok(()) => continue,
            Err(error) => Some(damaged(error)),
        };
        let length = writer.finish().map_err(not_written())?;
        return Ok((file, length, damage));
    }
}

/// Indexes a tar; what is no tar at all gets a message of its own. `damage` is what is wrong with the stream around it.
fn index(file: File, length: u64, codec: Codec, damage: Option<Error>) -> Result<Opened> {
    let file = Arc::new(file);
    let (files, result) = Files::in_damaged_archive(&file, length);
    let damage = match (damage, result) {
        (damage, Ok(())) | (damage @ Some(_), Err(_)) => damage,
        (None, Err(error)) if is_tar(&file, &error) => Some(error),
        (
            None,
            Err(Error::TarHeader { offset: 0, .. } | Error::NoEndOfArchive { found: 0..512 }),
        ) => {
            let found = match codec {
                Codec::None => "the file is not a tar archive, folder or manifest".to_owned(),
                codec => format!("the {codec} data does not contain a tar archive"),
            };
            return Err(Error::NotAnImage { found });
        }
        (None, Err(error)) => Some(error),
    };
    Ok(Opened {
        files,
        manifest: None,
        damage,
    })
}

/// Whether what was found at the beginning is damage to a tar, not something else.
fn is_tar(file: &File, error: &Error) -> bool {
    let mut block = [0; BLOCK];
    if !matches!(error, Error::TarHeader { offset: 0, .. })
        || file.read_exact_at(&mut block, 0).is_err()
    {
        return false;
    }
    let header = Header::new(&block);
    // The archives of the seventies have no magic word, but numbers in places where few other files have them.
    let has_numbers = || header.size().is_some() && header.not_a_number().is_none();
    block[257..].starts_with(b"ustar") || header.checksum_fits() || has_numbers()
}
