//! The text of a path, without a look at any file.

/// A path, or one name of it: as text, or as the bytes that the kernel has (path_resolution(7)).
pub trait PathText: ToOwned + 'static {
    const PARENT: &'static Self;

    /// The names of the path, from the left. Empty ones and `.` change nothing and are left out.
    fn names(&self) -> impl DoubleEndedIterator<Item = &Self>;

    fn is_absolute(&self) -> bool;

    fn is_parent(&self) -> bool;
}

impl PathText for str {
    const PARENT: &'static str = "..";

    fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.split('/').filter(|name| !matches!(*name, "" | "."))
    }

    fn is_absolute(&self) -> bool {
        self.starts_with('/')
    }

    fn is_parent(&self) -> bool {
        self == Self::PARENT
    }
}

impl PathText for [u8] {
    const PARENT: &'static [u8] = b"..";

    fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."))
    }

    fn is_absolute(&self) -> bool {
        self.starts_with(b"/")
    }

    fn is_parent(&self) -> bool {
        self == Self::PARENT
    }
}

/// The path of a name in a directory.
#[must_use]
pub fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

/// The directory that a path lies in; `None` for `/` and for a lone name.
#[must_use]
pub fn parent(path: &str) -> Option<&str> {
    let end = path.trim_end_matches('/').rfind('/')?;
    Some(if end == 0 { "/" } else { &path[..end] })
}

/// The part of `path` below `directory`: empty for the directory itself, `None` outside of it.
#[must_use]
pub fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_and_put_together() {
        assert_eq!("//var/./run/".names().collect::<Vec<_>>(), ["var", "run"]);
        assert_eq!(b"a/../b".as_slice().names().count(), 3);
        assert_eq!((join("/", "a"), join("/a", "b")), ("/a".to_owned(), "/a/b".to_owned()));
        assert_eq!([parent("/"), parent("/a"), parent("/a/b/")], [None, Some("/"), Some("/a")]);
        assert_eq!(
            [below("/a/b", "/a"), below("/a", "/a/"), below("/ab", "/a")],
            [Some("b"), Some(""), None]
        );
        assert_eq!(below("/a", "/"), Some("a"));
    }
}
