//! Files of the user's, written whole or not at all.

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::{fs, io};

use tempfile::NamedTempFile;

use crate::error::Error;

/// Writes a file that is not there yet, whole or not at all.
///
/// # Errors
/// It is there, or cannot be written.
pub fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let fail = |error: &dyn Display| Error::input(format!("write {}", path.display()), error);
    let file = beside(path, text).map_err(|error| fail(&error))?;
    file.persist_noclobber(path).map_err(|error| fail(&error.error).help("name another file"))?;
    Ok(())
}

/// Writes files that are not there yet into a directory, which is made where it is missing.
///
/// # Errors
/// One is there, and then none is written; or one cannot be written.
pub fn write_all_new(directory: &Path, files: &[(&str, String)]) -> Result<(), Error> {
    check_new(directory, files.iter().map(|(name, _)| *name))?;
    fs::create_dir_all(directory)
        .map_err(|error| Error::input(format!("make {}", directory.display()), error))?;
    files.iter().try_for_each(|(name, text)| write_new(&directory.join(name), text))
}

/// Whether files of these names could be written into a directory.
///
/// # Errors
/// One is there.
pub fn check_new<'n>(
    directory: &Path,
    mut names: impl Iterator<Item = &'n str>,
) -> Result<(), Error> {
    let there = names.find(|name| directory.join(name).symlink_metadata().is_ok());
    there.map_or(Ok(()), |name| {
        let attempted = format!("write {}", directory.join(name).display());
        Err(Error::input(attempted, "it is there already").help("name another directory"))
    })
}

/// Writes a file of ours, whole or not at all, whether it is there or not.
///
/// # Errors
/// It cannot be written; it is then as it was.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let fail = |error: &dyn Display| Error::input(format!("write {}", path.display()), error);
    let file = beside(path, text).map_err(|error| fail(&error))?;
    file.persist(path).map_err(|error| fail(&error.error))?;
    Ok(())
}

/// Puts another text in the place of a file, whole or not at all. Its mode and, where that is
/// allowed, its owner stay; a link stays, and what it leads to is replaced.
///
/// # Errors
/// It has another text by now than `before`, is not a regular file, or cannot be written; it is then as
/// it was.
pub fn replace(path: &Path, before: &str, text: &str) -> Result<(), Error> {
    let fail = |error: &dyn Display| Error::input(format!("write {}", path.display()), error);
    let target = fs::canonicalize(path).map_err(|error| fail(&error))?;
    let metadata = fs::metadata(&target).map_err(|error| fail(&error))?;
    if !metadata.is_file() {
        return Err(fail(&"it is not a regular file"));
    }
    let file = beside(&target, text).map_err(|error| fail(&error))?;
    fs::set_permissions(file.path(), metadata.permissions()).map_err(|error| fail(&error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        // Only root may give a file away; another user's own file is what it was.
        let _ = fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid()));
    }
    if fs::read(&target).map_err(|error| fail(&error))? != before.as_bytes() {
        return Err(fail(&"it changed since it was read").help("run it again"));
    }
    file.persist(&target).map_err(|error| fail(&error.error))?;
    // The new name is on the disk when the directory is; not every file system can say so.
    if let Some(directory) = target.parent() {
        let _ = fs::File::open(directory).and_then(|directory| directory.sync_all());
    }
    Ok(())
}

/// A file of another name in the same directory, whose text is on the disk.
fn beside(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let directory =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_never_replaces_another() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.yaml");
        assert_eq!(write_new(&path, "one"), Ok(()));
        assert!(write_new(&path, "two").is_err());
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "one");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_replaced_with_its_mode_through_its_link_and_only_as_it_was_read() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let directory = tempfile::tempdir().expect("a directory");
        let (path, link) = (directory.path().join("a.yaml"), directory.path().join("link.yaml"));
        fs::write(&path, "one").expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        symlink("a.yaml", &link).expect("a link");
        assert_eq!(replace(&link, "one", "two"), Ok(()));
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "two");
        assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777, 0o640);
        let error = replace(&path, "one", "three").expect_err("it changed");
        assert!(
            error.to_string().ends_with("a.yaml: it changed since it was read; run it again"),
            "{error}"
        );
        assert!(
            replace(directory.path(), "", "x")
                .expect_err("a directory")
                .why
                .contains("not a regular file")
        );
        assert_eq!(
            fs::read_dir(directory.path()).expect("a directory").count(),
            2,
            "nothing else is left"
        );
    }
}
