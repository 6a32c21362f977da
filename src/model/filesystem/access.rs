//! May this process do that to this path? The kernel's answer, worked out step by step.
//!
//! The rules are path_resolution(7), inode(7), `generic_permission` and `may_delete` of Linux's
//! `fs/namei.c`, and `setattr_prepare` of `fs/attr.c`. Not considered: POSIX ACLs, security
//! modules, the immutable attribute, and `fs.protected_*` of sysctl, which refuse a few odd
//! operations in world-writable sticky directories. In a user namespace a capability counts only
//! for a file whose owner and group exist in it.

use std::fmt;

use super::grant::{Grant, grant};
use super::inode::{FileType, Inode};
use super::mounts::{Files, Lookup};
use super::path;
use super::permission::{Permission, PermissionClass};
use super::walk::{Entry, Stop, Walkable, walk};
use crate::model::capability::Capability;
use crate::model::credentials::Credentials;
use crate::model::obstacle::Errno;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read a file, or list a directory.
    Read,
    /// Write a file, or make files in a directory. What does not exist is created, with the
    /// directories above it.
    Write,
    /// Execute a file.
    Execute,
    /// Enter a directory, or reach what is in it.
    Search,
    /// Make this path, new.
    Create,
    /// Remove this path, or rename it.
    Remove,
    Chmod,
    /// Change the owner or the group to these; `None` leaves one as it is.
    Chown {
        uid: Option<u32>,
        gid: Option<u32>,
    },
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denial {
    /// EACCES: the mode says no.
    Mode,
    /// EPERM: only the owner, or root with its capability, may.
    Owner,
    /// EROFS.
    ReadOnly,
    /// ENOENT.
    Missing,
    /// ENOTDIR.
    NotDirectory,
    /// ELOOP.
    Loop,
}

impl Denial {
    /// The errno that the kernel answers with, if it is one that we tell apart.
    #[must_use]
    pub fn errno(self) -> Option<Errno> {
        match self {
            Denial::Mode => Some(Errno::Eacces),
            Denial::Owner => Some(Errno::Eperm),
            Denial::ReadOnly => Some(Errno::Erofs),
            Denial::Missing => Some(Errno::Enoent),
            Denial::NotDirectory | Denial::Loop => None,
        }
    }
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessVerdict {
    Allowed,
    Denied(Denial),
    /// It depends on the content of a volume that is not known.
    Unknown,
}

/// What one step of the walk showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// A symbolic link, followed.
    Link,
    /// The file was asked for a permission.
    Permission {
        asked: Permission,
        grant: Grant,
    },
    /// Only the owner may, and the process is the owner.
    Owner,
    /// Only the owner may, and a capability overrides that.
    OwnerCapability(Capability),
    /// Only the owner may, and the process is another user without the capability that would do.
    NotOwner(Capability),
    /// The sticky directory lets only a file's owner or its own remove it.
    Sticky,
    ReadOnly,
    NoExec,
    /// Nobody makes or removes files in this file system.
    Fixed,
    Missing,
    NotDirectory,
    TooManyLinks,
    Unknown,
}

impl StepOutcome {
    /// The verdict where this is the last step.
    fn verdict(self) -> AccessVerdict {
        match self {
            StepOutcome::Permission { grant: Grant::Refused(_), .. }
            | StepOutcome::NoExec
            | StepOutcome::Fixed => AccessVerdict::Denied(Denial::Mode),
            StepOutcome::NotOwner(_) | StepOutcome::Sticky => AccessVerdict::Denied(Denial::Owner),
            StepOutcome::ReadOnly => AccessVerdict::Denied(Denial::ReadOnly),
            StepOutcome::Missing => AccessVerdict::Denied(Denial::Missing),
            StepOutcome::NotDirectory => AccessVerdict::Denied(Denial::NotDirectory),
            StepOutcome::TooManyLinks => AccessVerdict::Denied(Denial::Loop),
            StepOutcome::Permission { .. }
            | StepOutcome::Unknown
            | StepOutcome::Link
            | StepOutcome::OwnerCapability(_)
            | StepOutcome::Owner => AccessVerdict::Unknown,
        }
    }
}

/// One step of the walk, from `/` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessStep {
    pub path: String,
    /// `None` where nothing is, or nothing is known.
    pub inode: Option<Inode>,
    /// The mount that covers it, as [`Mount::what`](super::Mount::what) calls it.
    pub mount: Option<String>,
    pub outcome: StepOutcome,
}

/// `/var/cache drwxr-xr-x 0:0: others may search`
impl fmt::Display for AccessStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if let Some(inode) = &self.inode {
            write!(f, " {inode}")?;
        }
        if let Some(mount) = &self.mount {
            write!(f, " ({mount})")?;
        }
        let is_directory = self.inode.as_ref().is_some_and(Inode::is_directory);
        match self.outcome {
            StepOutcome::Link => write!(f, ": followed"),
            StepOutcome::Permission { asked, grant } => {
                let verbs = asked.verbs(is_directory);
                match grant {
                    Grant::ByMode(class) => write!(f, ": {} may {verbs}", noun(class)),
                    Grant::Refused(class) => write!(f, ": {} may not {verbs}", noun(class)),
                    Grant::ByCapability(capability) => {
                        write!(f, ": CAP_{capability} lets it {verbs}")
                    }
                }
            }
            StepOutcome::Owner => write!(f, ": its owner may"),
            StepOutcome::OwnerCapability(capability) => write!(f, ": CAP_{capability} lets it"),
            StepOutcome::NotOwner(capability) => {
                write!(f, ": only its owner may, or who has CAP_{capability}")
            }
            StepOutcome::Sticky => write!(
                f,
                ": the sticky bit lets only the owner of a file or of the directory remove it"
            ),
            StepOutcome::ReadOnly => write!(f, ": read-only"),
            StepOutcome::NoExec => write!(f, ": mounted noexec"),
            StepOutcome::Fixed => write!(f, ": nobody makes or removes files here"),
            StepOutcome::Missing => write!(f, ": does not exist"),
            StepOutcome::NotDirectory => write!(f, ": is no directory"),
            StepOutcome::TooManyLinks => write!(f, ": too many symbolic links"),
            StepOutcome::Unknown => write!(f, ": not known what is in it"),
        }
    }
}

fn noun(class: PermissionClass) -> &'static str {
    match class {
        PermissionClass::Owner => "its owner",
        PermissionClass::Group => "its group",
        PermissionClass::Other => "others",
    }
}

/// The answer and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub verdict: AccessVerdict,
    /// Every step in the order in which the kernel takes it; the last one decides.
    pub steps: Vec<AccessStep>,
}

impl Decision {
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.verdict == AccessVerdict::Allowed
    }
}

/// Decides whether a process gets `access` to `path`, which is absolute; a relative one is taken
/// from `/`.
#[must_use]
pub fn decide(
    credentials: &Credentials,
    files: &Files<'_>,
    path: &str,
    access: Access,
) -> Decision {
    let follow_last = access != Access::Remove;
    let mut attempt = Attempt { credentials, files, follow_last, steps: Vec::new() };
    let verdict = attempt.run(path, access).err().unwrap_or(AccessVerdict::Allowed);
    Decision { verdict, steps: attempt.steps }
}

/// A path without links, and what is there.
type Place = (String, Inode);

/// Where the walk came to: a directory that may be searched, and the name in it that is asked for.
struct End {
    directory: Place,
    /// `None` for `/` itself. Where it is missing or unknown, there may be more names below it.
    last: Option<(String, Lookup)>,
}

/// What ends the walk early.
enum EarlyEnd {
    Refused(AccessVerdict),
    /// There is nothing, or nothing is known, under a name.
    Nothing(End),
}

/// One access, with the steps that the kernel takes for it.
struct Attempt<'a, 'f> {
    credentials: &'a Credentials,
    files: &'a Files<'f>,
    /// Whether a link at the end of the path is followed.
    follow_last: bool,
    steps: Vec<AccessStep>,
}

/// Every directory on the way must let the process search it.
impl Walkable<str> for Attempt<'_, '_> {
    type Place = Place;
    type Stop = EarlyEnd;

    fn search(&mut self, (path, inode): &Place) -> Result<(), EarlyEnd> {
        let searched = match inode.file_type {
            FileType::Directory => self.permit(path, inode, Permission::EXECUTE),
            _ => self.stop(path, Some(inode), StepOutcome::NotDirectory),
        };
        searched.map_err(EarlyEnd::Refused)
    }

    fn lookup(
        &mut self,
        directory: &Place,
        name: &str,
        rest: &[String],
    ) -> Result<Entry<Place, String>, EarlyEnd> {
        let path = path::join(&directory.0, name);
        match self.files.lookup(&path) {
            Lookup::Found(link) if link.is_symlink() && (self.follow_last || !rest.is_empty()) => {
                self.note(&path, Some(&link), StepOutcome::Link);
                Ok(Entry::Link(link.target.unwrap_or_default()))
            }
            Lookup::Found(inode) => Ok(Entry::Place((path, inode))),
            nothing => {
                let (directory, last) = (directory.clone(), Some((path, nothing)));
                Err(EarlyEnd::Nothing(End { directory, last }))
            }
        }
    }
}

impl Attempt<'_, '_> {
    fn run(&mut self, path: &str, access: Access) -> Result<(), AccessVerdict> {
        let End { directory, last } = self.walk(path)?;
        let (path, inode) = match last {
            None => directory.clone(),
            Some((path, Lookup::Found(inode))) => (path, inode),
            Some((path, Lookup::Missing)) => {
                if !matches!(access, Access::Create | Access::Write) {
                    return self.stop(&path, None, StepOutcome::Missing);
                }
                self.note(&path, None, StepOutcome::Missing);
                return self.change(&directory.0, &directory.1);
            }
            Some((path, Lookup::Unknown)) => {
                let changes = !matches!(access, Access::Read | Access::Execute | Access::Search);
                let outcome = if changes && self.files.is_read_only(&path) {
                    StepOutcome::ReadOnly
                } else {
                    StepOutcome::Unknown
                };
                return self.stop(&path, None, outcome);
            }
        };

        match access {
            Access::Read => self.permit(&path, &inode, Permission::READ),
            Access::Search if !inode.is_directory() => {
                self.stop(&path, Some(&inode), StepOutcome::NotDirectory)
            }
            Access::Search => self.permit(&path, &inode, Permission::EXECUTE),
            Access::Execute => {
                self.permit(&path, &inode, Permission::EXECUTE)?;
                let is_noexec = self.files.mount(&path).is_some_and(|mount| mount.options.noexec);
                if !inode.is_file() || is_noexec {
                    return self.stop(&path, Some(&inode), StepOutcome::NoExec);
                }
                Ok(())
            }
            Access::Write if inode.is_directory() => self.change(&path, &inode),
            Access::Write => {
                self.permit(&path, &inode, Permission::WRITE)?;
                // A device is not changed by writing to it.
                if inode.is_file() && self.files.is_read_only(&path) {
                    return self.stop(&path, Some(&inode), StepOutcome::ReadOnly);
                }
                Ok(())
            }
            Access::Create => self.change(&directory.0, &directory.1),
            Access::Remove => {
                self.change(&directory.0, &directory.1)?;
                let uid = self.credentials.uid.effective;
                let is_owner = uid == inode.uid || uid == directory.1.uid;
                let is_sticky = directory.1.mode & Inode::STICKY != 0;
                if is_sticky && !is_owner && !self.credentials.has(Capability::FOWNER) {
                    return self.stop(&path, Some(&inode), StepOutcome::Sticky);
                }
                Ok(())
            }
            Access::Chmod => self.change_owned(&path, &inode, Capability::FOWNER, true),
            Access::Chown { uid, gid } => {
                let owner_may = uid.is_none_or(|uid| uid == inode.uid)
                    && gid.is_none_or(|gid| gid == inode.gid || self.credentials.in_group(gid));
                self.change_owned(&path, &inode, Capability::CHOWN, owner_may)
            }
        }
    }

    /// Follows the path as far as it exists.
    fn walk(&mut self, path: &str) -> Result<End, AccessVerdict> {
        let root = match self.files.lookup("/") {
            Lookup::Found(inode) => inode,
            // An image need not have an entry for its root; the runtime makes one.
            Lookup::Missing | Lookup::Unknown => Inode::directory(0o755, 0, 0),
        };
        let root = ("/".to_owned(), root);
        match walk(self, vec![root.clone()], path) {
            Ok(mut places) => {
                let (path, inode) = places.pop().unwrap_or(root);
                Ok(match places.pop() {
                    Some(directory) => End { directory, last: Some((path, Lookup::Found(inode))) },
                    None => End { directory: (path, inode), last: None },
                })
            }
            Err(Stop::Other(EarlyEnd::Nothing(end))) => Ok(end),
            Err(Stop::Other(EarlyEnd::Refused(verdict))) => Err(verdict),
            Err(Stop::TooManyLinks) => {
                // The last step is the link that is one too many.
                if let Some(link) = self.steps.last_mut() {
                    link.outcome = StepOutcome::TooManyLinks;
                }
                Err(StepOutcome::TooManyLinks.verdict())
            }
        }
    }

    /// Adds to a directory, or takes from it.
    fn change(&mut self, path: &str, directory: &Inode) -> Result<(), AccessVerdict> {
        if self.files.is_read_only(path) {
            return self.stop(path, Some(directory), StepOutcome::ReadOnly);
        }
        self.permit(path, directory, Permission::CHANGE_DIRECTORY)?;
        if self.files.mount(path).is_some_and(|mount| mount.fixed) {
            return self.stop(path, Some(directory), StepOutcome::Fixed);
        }
        Ok(())
    }

    /// What only the owner may do, if `owner_may` at all, or who has the capability.
    fn change_owned(
        &mut self,
        path: &str,
        inode: &Inode,
        capability: Capability,
        owner_may: bool,
    ) -> Result<(), AccessVerdict> {
        if self.files.is_read_only(path) {
            self.stop(path, Some(inode), StepOutcome::ReadOnly)
        } else if owner_may && self.credentials.uid.effective == inode.uid {
            self.note(path, Some(inode), StepOutcome::Owner);
            Ok(())
        } else if self.credentials.has(capability) {
            self.note(path, Some(inode), StepOutcome::OwnerCapability(capability));
            Ok(())
        } else {
            self.stop(path, Some(inode), StepOutcome::NotOwner(capability))
        }
    }

    fn permit(
        &mut self,
        path: &str,
        inode: &Inode,
        asked: Permission,
    ) -> Result<(), AccessVerdict> {
        let grant = grant(self.credentials, inode, asked);
        let outcome = StepOutcome::Permission { asked, grant };
        match grant {
            Grant::Refused(_) => self.stop(path, Some(inode), outcome),
            Grant::ByMode(_) | Grant::ByCapability(_) => {
                self.note(path, Some(inode), outcome);
                Ok(())
            }
        }
    }

    fn note(&mut self, path: &str, inode: Option<&Inode>, outcome: StepOutcome) {
        let mount = self.files.mount(path).map(|mount| mount.what.clone());
        let inode = inode.cloned();
        self.steps.push(AccessStep { path: path.to_owned(), inode, mount, outcome });
    }

    fn stop(
        &mut self,
        path: &str,
        inode: Option<&Inode>,
        outcome: StepOutcome,
    ) -> Result<(), AccessVerdict> {
        self.note(path, inode, outcome);
        Err(outcome.verdict())
    }
}

#[cfg(test)]
mod tests;
