//! The one walk along a path through symbolic links: path_resolution(7).

use std::convert::Infallible;

use super::path::{PathText, join};

/// Symbolic links that a walk follows before ELOOP: `MAXSYMLINKS` of Linux's
/// `include/linux/namei.h`.
pub const MAX_SYMLINKS: usize = 40;

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry<Place, Name> {
    /// A directory to go on from, or the file at the end of the path.
    Place(Place),
    /// The target of a symbolic link to follow.
    Link(Name),
}

/// Why a walk ended before the end of its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop<T> {
    /// The link after the last one that may be followed was reached.
    TooManyLinks,
    /// What the files said.
    Other(T),
}

/// The files that a walk goes through.
pub trait Walkable<Name: PathText + ?Sized> {
    /// How these files name a place in them.
    type Place: Clone;
    /// What ends a walk early.
    type Stop;

    /// Called in a directory before a name, `..` among them, is looked up in it.
    ///
    /// # Errors
    /// Ends the walk.
    fn search(&mut self, directory: &Self::Place) -> Result<(), Self::Stop> {
        let _ = directory;
        Ok(())
    }

    /// What is under a name in a directory. `rest` are the names after it, the last one first.
    ///
    /// # Errors
    /// Ends the walk.
    fn lookup(
        &mut self,
        directory: &Self::Place,
        name: &Name,
        rest: &[Name::Owned],
    ) -> Result<Entry<Self::Place, Name::Owned>, Self::Stop>;
}

/// Follows a path from the last of `places`, which are the directories from the root on. Returns
/// the directories from the root to where the path leads, and that place as the last of them.
///
/// # Errors
/// [`Stop::TooManyLinks`] after [`MAX_SYMLINKS`] links, and what the files stop at.
pub fn walk<Name: PathText + ?Sized, F: Walkable<Name>>(
    files: &mut F,
    mut places: Vec<F::Place>,
    path: &Name,
) -> Result<Vec<F::Place>, Stop<F::Stop>> {
    let mut pending: Vec<Name::Owned> = path.names().rev().map(ToOwned::to_owned).collect();
    let mut links = 0;
    while let (Some(name), Some(here)) = (pending.pop(), places.last()) {
        let name = std::borrow::Borrow::borrow(&name);
        files.search(here).map_err(Stop::Other)?;
        if PathText::is_parent(name) {
            places.truncate(places.len().saturating_sub(1).max(1));
            continue;
        }
        match files.lookup(here, name, &pending).map_err(Stop::Other)? {
            Entry::Place(place) => places.push(place),
            Entry::Link(_) if links == MAX_SYMLINKS => return Err(Stop::TooManyLinks),
            Entry::Link(target) => {
                links += 1;
                let target: &Name = std::borrow::Borrow::borrow(&target);
                if target.is_absolute() {
                    places.truncate(1);
                }
                pending.extend(target.names().rev().map(ToOwned::to_owned));
            }
        }
    }
    Ok(places)
}

/// Where a path leads when every link in it is followed, whoever may or may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Absolute, without links, `.` and `..`. A path through a loop of links stays as it is
    /// written.
    pub path: String,
    /// The directories that are searched on the way, those before each link among them, each once.
    pub searched: Vec<String>,
}

/// Follows the links of an absolute path. `link` tells the target where a path is a link; all else,
/// what does not exist among it, is taken as it is written.
pub fn resolve(path: &str, link: impl Fn(&str) -> Option<String>) -> Resolved {
    struct Links<F> {
        link: F,
        searched: Vec<String>,
    }

    impl<F: Fn(&str) -> Option<String>> Walkable<str> for Links<F> {
        type Place = String;
        type Stop = Infallible;

        fn search(&mut self, directory: &String) -> Result<(), Infallible> {
            if !self.searched.contains(directory) {
                self.searched.push(directory.clone());
            }
            Ok(())
        }

        fn lookup(
            &mut self,
            directory: &String,
            name: &str,
            _: &[String],
        ) -> Result<Entry<String, String>, Infallible> {
            let path = join(directory, name);
            Ok((self.link)(&path).map_or(Entry::Place(path), Entry::Link))
        }
    }

    let mut links = Links { link, searched: Vec::new() };
    let places = walk(&mut links, vec!["/".to_owned()], path);
    let found = places.ok().and_then(|mut places| places.pop());
    let as_written = || path.names().fold("/".to_owned(), |path, name| join(&path, name));
    Resolved { path: found.unwrap_or_else(as_written), searched: links.searched }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(path: &str) -> Option<String> {
        let target = match path {
            "/var/run" => "/run",
            "/run/up" => "../var/./log",
            "/loop" => "loop",
            _ => {
                let number: usize = path.strip_prefix("/chain")?.parse().ok()?;
                return Some(format!("chain{}", number.checked_sub(1)?));
            }
        };
        Some(target.to_owned())
    }

    fn resolved(path: &str) -> String {
        resolve(path, link).path
    }

    #[test]
    fn links_are_followed() {
        assert_eq!(resolved("/var/run/app/../x.pid"), "/run/x.pid");
        assert_eq!(resolved("/var/run/up/x"), "/var/log/x");
        assert_eq!(resolved("//var/./run/"), "/run");
        assert_eq!(resolved("/../.."), "/");
        assert_eq!(resolve("/var/run/x", link).searched, ["/", "/var", "/run"]);
    }

    #[test]
    fn forty_links_are_followed_and_no_more() {
        assert_eq!(resolved("/chain40"), "/chain0");
        assert_eq!(resolved("/chain41"), "/chain41");
        assert_eq!(resolved("/loop/x"), "/loop/x");
    }
}
