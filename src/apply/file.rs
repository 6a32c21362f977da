//! Files of the user's, written whole or not at all.

use std::io::Write as _;
use std::path::Path;

use crate::error::Error;

/// Writes a file that is not there yet, whole or not at all.
///
/// # Errors
/// It is there, or cannot be written.
pub fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let attempted = format!("write {}", path.display());
    let fail = |error: &dyn std::fmt::Display| Error::input(attempted.clone(), error);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(|error| fail(&error))?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(|error| fail(&error))?;
    file.persist_noclobber(path).map_err(|error| fail(&error.error).help("name another file"))?;
    Ok(())
}
