//! The files of a chart, from a directory or an archive, and the archive that is made of them.
//!
//! Names in an archive are only ever keys of a map: nothing is unpacked into a directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// The files of a chart by their paths below its directory.
pub(super) type ChartFiles = BTreeMap<String, Vec<u8>>;

/// The most bytes that a chart's files may have together (Helm allows 100 MiB), and the most files.
const MAX_BYTES: u64 = 100 << 20;
const MAX_FILES: usize = 20_000;

/// How deep directories may lie in each other.
const MAX_DEPTH: usize = 16;

/// What of a chart tells about its values: `files` and documents may be large and do not.
fn is_of_interest(path: &str) -> bool {
    let is_in = |directory: &str| {
        path.starts_with(&format!("{directory}/")) || path.contains(&format!("/{directory}/"))
    };
    let ends = |names: &[&str]| {
        names.iter().any(|name| path == *name || path.ends_with(&format!("/{name}")))
    };
    is_in("templates")
        || ends(&["Chart.yaml", "values.yaml", "values.schema.json", "requirements.yaml"])
        || path.ends_with(".tgz") && is_in("charts")
}

/// The files of a directory that tell about a chart's values. Links are followed no further than
/// Helm does by itself: they are not read here.
pub(super) fn of_directory(directory: &Path) -> io::Result<ChartFiles> {
    let mut files = ChartFiles::new();
    let mut bytes = 0;
    descend(directory, "", 0, &mut bytes, &mut files)?;
    Ok(files)
}

fn descend(
    directory: &Path,
    prefix: &str,
    depth: usize,
    bytes: &mut u64,
    files: &mut ChartFiles,
) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            descend(&entry.path(), &format!("{name}/"), depth + 1, bytes, files)?;
        } else if kind.is_file() && is_of_interest(&name) {
            let mut content = Vec::new();
            fs::File::open(entry.path())?.take(MAX_BYTES - *bytes + 1).read_to_end(&mut content)?;
            add(name, content, bytes, files)?;
        }
    }
    Ok(())
}

fn add(name: String, content: Vec<u8>, bytes: &mut u64, files: &mut ChartFiles) -> io::Result<()> {
    *bytes += content.len() as u64;
    if *bytes > MAX_BYTES || files.len() >= MAX_FILES {
        return Err(io::Error::other("it is larger than a chart may be"));
    }
    files.insert(name, content);
    Ok(())
}

/// The files of an archive that tell about a chart's values, without the directory that all of
/// them are in.
pub(super) fn unpacked(archive: impl Read) -> io::Result<ChartFiles> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive).take(MAX_BYTES));
    let mut files = ChartFiles::new();
    let mut bytes = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let Some((_, name)) = path.trim_start_matches("./").split_once('/') else { continue };
        if entry.header().entry_type().is_file() && is_of_interest(name) {
            let name = name.to_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            add(name, content, &mut bytes, &mut files)?;
        }
    }
    Ok(files)
}

/// An archive of a chart's files, as `helm package` makes it. A name that leads out of it is left
/// out.
pub(super) fn packed(files: &ChartFiles) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files.iter().filter(|(name, _)| is_inside(name)) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, format!("chart/{name}"), content.as_slice())?;
    }
    archive.into_inner()?.finish()
}

/// Whether a path stays below the directory that it is of.
pub(super) fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\\', '\0', ':'])
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_holds_what_was_packed_and_nothing_outside() {
        let file = |name: &str| (name.to_owned(), name.as_bytes().to_vec());
        let names =
            ["Chart.yaml", "templates/a.yaml", "../evil", "/etc/passwd", "a/../../b", "files/x"];
        let packed = packed(&names.into_iter().map(file).collect()).expect("an archive");
        let found = unpacked(packed.as_slice()).expect("files");
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["Chart.yaml", "templates/a.yaml"]);
    }
}
