//! Opens an input: a folder, an archive, a compressed archive, a stream, or a manifest in a folder.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use super::archive::Archive;
use super::files::Files;
use super::spool::{BUFFER, Spool};
use crate::compression::Codec;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::progress::Step;
use crate::tar::{BLOCK, Header};

/// An input whose files can be read by name.
pub(crate) struct Opened {
    pub files: Files,
    /// The manifest that the user named, if the input is one file of a folder.
    pub manifest: Option<String>,
    /// Why an archive could not be read to its end. The files are then those before the damage.
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

const STDIN: &str = "standard input";

/// Opens an input. Compressed files and pipes are written to `spool`.
pub(crate) fn open(path: &Path, spool: &Spool<'_>, interrupt: &Interrupt) -> Result<Opened> {
    if path == Path::new("-") {
        return open_stdin(spool, interrupt);
    }
    let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
    if metadata.is_dir() {
        return Ok(Files::of_folder(path)?.into());
    }
    let file = File::open(path).map_err(Error::io("open", path))?;
    if !metadata.is_file() {
        // A named pipe, or /dev/stdin.
        return open_stream(file, path, spool, interrupt);
    }
    if let Some(opened) = open_manifest(&file, path)? {
        return Ok(opened);
    }
    open_file(file, Some(path), spool, interrupt)
}

/// A manifest whose blobs are files in the same folder.
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

fn open_stdin(spool: &Spool<'_>, interrupt: &Interrupt) -> Result<Opened> {
    let path = Path::new(STDIN);
    let stdin = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(Error::io("read", path))?;
    let mut file = File::from(stdin);
    // `ocify … < file` can be read in place if nothing was read from it before.
    let in_place = file.metadata().is_ok_and(|metadata| metadata.is_file())
        && io::Seek::stream_position(&mut file).is_ok_and(|position| position == 0);
    if in_place {
        open_file(file, None, spool, interrupt)
    } else {
        open_stream(file, path, spool, interrupt)
    }
}

/// `path` is `None` for standard input, which cannot be reopened.
fn open_file(
    file: File,
    path: Option<&Path>,
    spool: &Spool<'_>,
    interrupt: &Interrupt,
) -> Result<Opened> {
    let shown = path.unwrap_or(Path::new(STDIN));
    let metadata = file.metadata().map_err(Error::io("read", shown))?;
    let length = metadata.len();
    if length == 0 {
        return Err(Error::Empty);
    }
    let (codec, reader) = sniff(&file, shown)?;
    if codec == Codec::None {
        drop(reader);
        let archive = match path {
            Some(path) => Archive::at(path, file, &metadata),
            None => Archive::in_open_file(Arc::new(file), 0, length),
        };
        return index(archive, codec, None, shown, spool);
    }
    let (archive, damage) = spool.decode(codec, reader, shown, Some(length), interrupt)?;
    index(archive, codec, damage, shown, spool)
}

fn open_stream(
    file: File,
    path: &Path,
    spool: &Spool<'_>,
    interrupt: &Interrupt,
) -> Result<Opened> {
    let (codec, reader) = sniff(file, path)?;
    let (archive, damage) = spool.decode(codec, reader, path, None, interrupt)?;
    if archive.length() == 0 && damage.is_none() {
        return Err(Error::Empty);
    }
    index(archive, codec, damage, path, spool)
}

/// The codec of a stream, and a reader of all of it. A pipe may give its first bytes one by one.
fn sniff<R: Read>(mut stream: R, path: &Path) -> Result<(Codec, impl BufRead + use<R>)> {
    let mut beginning = Vec::new();
    let read = stream.by_ref().take(6).read_to_end(&mut beginning);
    read.map_err(Error::io("read", path))?;
    let codec = Codec::sniff(&beginning);
    let rest = BufReader::with_capacity(BUFFER, stream);
    Ok((codec, io::Cursor::new(beginning).chain(rest)))
}

/// Indexes a tar. A file that is not a tar at all has its own message. `damage` is damage to the compressed stream.
fn index(
    archive: Archive,
    codec: Codec,
    damage: Option<Error>,
    path: &Path,
    spool: &Spool<'_>,
) -> Result<Opened> {
    let archive = Arc::new(archive);
    spool.progress.step(&Step::Index {
        input: &path.to_string_lossy(),
        bytes: archive.length(),
    });
    let (files, result) = Files::in_damaged_archive(&archive, spool.progress);
    let damage = match (damage, result) {
        (damage, Ok(())) | (damage @ Some(_), Err(_)) => damage,
        (None, Err(error)) if is_tar(&archive, &error) => Some(error),
        (
            None,
            Err(Error::TarHeader { offset: 0, .. } | Error::NoEndOfArchive { found: 0..512 }),
        ) => {
            let found = match (codec, archive.length()) {
                (Codec::None, length @ ..512) => {
                    format!("the file is truncated or not an archive: it ends at byte {length}")
                }
                (Codec::None, _) => "the file is not a tar archive, folder or manifest".to_owned(),
                (codec, _) => format!("the {codec} data does not contain a tar archive"),
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

/// Whether the error is damage to a tar, and not that the file is something else.
fn is_tar(archive: &Archive, error: &Error) -> bool {
    let mut block = [0; BLOCK];
    let mut read = || {
        archive
            .open()
            .is_ok_and(|open| open.read_exact_at(&mut block, 0).is_ok())
    };
    if !matches!(error, Error::TarHeader { offset: 0, .. }) || !read() {
        return false;
    }
    let header = Header::new(&block);
    // Tars of the seventies have no magic word, but numbers where few other files have them.
    let has_numbers = || header.size().is_some() && header.not_a_number().is_none();
    block[257..].starts_with(b"ustar") || header.checksum_matches() || has_numbers()
}
