//! An image: its configuration, its layers, its files, and the questions that running it as
//! non-root asks of them.

pub mod advice;
pub mod drop;
pub mod efficiency;
pub mod layer;
pub mod paths;
pub mod tree;

use std::collections::BTreeMap;

use crate::model::accounts::{Account, Accounts, Identity, UserError};
use crate::model::capability::Set;
use crate::model::credentials::Credentials;
use crate::model::filesystem::{Access, FileType, Files, Inode, PathStat, Permission, decide, may};
use crate::model::port::is_privileged;
use efficiency::efficiency;
use layer::Layer;
use paths::PathId;
use tree::{ImageFile, Repeated, Tree};

/// The uid of `nobody`, which no package makes.
const NOBODY: u32 = 65534;
/// The user that apt downloads as; every Debian image has it, and it owns a directory.
const APT: &str = "_apt";
/// What the names of systemd's own users start with.
const SYSTEMD: &str = "systemd-";
/// Directories of what package managers install: an empty one in them is none of the program's.
const INSTALLED: [&str; 5] = [".git", "node_modules", "site-packages", "vendor", "__pycache__"];
/// System users below are given out by the distribution, from here on by the packages: Debian's
/// policy 9.2.2; Alpine's `adduser -S` starts here as well.
const FIRST_PACKAGE_UID: u32 = 100;

/// A port that an image says it listens on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub number: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

impl Port {
    /// `80/tcp`, `53/udp`, `80`; a range is its first port.
    #[must_use]
    pub fn parse(text: &str) -> Option<Port> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let number = number.split('-').next()?.parse().ok()?;
        Some(Port { number, protocol: protocol.to_ascii_lowercase() })
    }

    /// Whether binding it takes NET_BIND_SERVICE where the sysctl has its default
    /// ([`port`](crate::model::port)).
    #[must_use]
    pub fn privileged(&self) -> bool {
        is_privileged(self.number)
    }
}

/// The parts of image-spec's `config` that decide how a container starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// As written: empty, `nginx`, `1000`, `1000:1000`.
    pub user: String,
    pub exposed_ports: Vec<Port>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    /// Values are never to be shown.
    pub environment: Vec<(String, String)>,
    pub working_directory: String,
    pub volumes: Vec<String>,
    pub labels: BTreeMap<String, String>,
}

/// What an image's USER says of the user that a container runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredUser {
    /// Nothing, `root` or `0`.
    Root,
    /// A number, which is all that `runAsNonRoot` can judge
    /// (pkg/kubelet/kuberuntime/security_context.go, verifyRunAsNonRoot); with the group, where
    /// that is a number too.
    Number(u32, Option<u32>),
    /// A name, which only the image's /etc/passwd makes a number of.
    Name(String),
}

impl Config {
    /// Who USER names, by its text alone.
    #[must_use]
    pub fn declared_user(&self) -> DeclaredUser {
        let (user, group) = match self.user.split_once(':') {
            Some((user, group)) => (user, group.parse().ok()),
            None => (self.user.as_str(), None),
        };
        match user.parse() {
            Ok(0) => DeclaredUser::Root,
            Ok(uid) => DeclaredUser::Number(uid, group),
            Err(_) if user.is_empty() || user == "root" => DeclaredUser::Root,
            Err(_) => DeclaredUser::Name(user.to_owned()),
        }
    }

    /// The value that a process sees: the last one given.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A layer as a reader of the image cares for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerInfo {
    /// Of the layer as it is stored, `sha256:...`.
    pub digest: String,
    /// The sum of its files' sizes in bytes.
    pub size: u64,
    /// The Dockerfile instruction that made it; empty where the history does not tell.
    pub command: String,
    /// The bytes of files that are in the layer only because their owner or mode changed.
    pub chowned: BTreeMap<Repeated, u64>,
}

impl LayerInfo {
    #[must_use]
    pub fn chowned_bytes(&self) -> u64 {
        self.chowned.values().sum()
    }
}

/// One image, for one platform.
#[derive(Debug, Clone)]
pub struct Image {
    /// The reference or file as it was given.
    pub name: String,
    /// Of its manifest; `None` where it has no manifest, as in an archive of `docker save`.
    pub digest: Option<String>,
    /// `linux/amd64`.
    pub platform: String,
    pub config: Config,
    pub layers: Vec<LayerInfo>,
    pub tree: Tree,
    pub accounts: Accounts,
    /// The lowest layer that has accounts, and the accounts as it leaves them: the distribution's
    /// own.
    pub base_layer: usize,
    pub base_accounts: Accounts,
    /// dive's score, between 0 and 1.
    pub efficiency: f64,
    /// dive's count.
    pub wasted_bytes: u64,
    pub warnings: Vec<String>,
}

/// What is below a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirectoryContent {
    /// Everything that is no directory.
    pub files: u64,
    pub bytes: u64,
}

impl Image {
    /// Merges the layers, the lowest first, each with its digest and its instruction.
    #[must_use]
    pub fn assemble(
        name: String,
        digest: Option<String>,
        platform: String,
        config: Config,
        layers: Vec<(String, String, Layer)>,
    ) -> Image {
        let mut tree = Tree::default();
        let mut warnings = Vec::new();
        let mut infos = Vec::new();
        let mut whole = Vec::new();
        let (mut base_layer, mut base_accounts) = (0, Accounts::default());
        for (number, (digest, command, layer)) in layers.into_iter().enumerate() {
            let merged = tree.merge(&layer, number);
            if base_accounts.users.is_empty() {
                (base_layer, base_accounts) = (number, accounts(&tree));
            }
            infos.push(LayerInfo { digest, size: layer.size, command, chowned: merged.chowned });
            warnings.extend(
                layer
                    .warnings
                    .iter()
                    .cloned()
                    .chain(merged.warnings)
                    .map(|w| format!("layer {number}: {w}")),
            );
            whole.push(layer);
        }
        let efficiency = efficiency(&whole);
        Image {
            accounts: accounts(&tree),
            base_layer,
            base_accounts,
            name,
            digest,
            platform,
            config,
            layers: infos,
            tree,
            efficiency: efficiency.score,
            wasted_bytes: efficiency.wasted_bytes,
            warnings,
        }
    }

    /// The sum of its layers' sizes in bytes, as dive counts.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    /// Bytes of files that were repeated in a later layer only for another owner or mode.
    #[must_use]
    pub fn chowned_bytes(&self) -> u64 {
        self.layers.iter().map(LayerInfo::chowned_bytes).sum()
    }

    /// The user that the image's USER means.
    ///
    /// # Errors
    /// A [`UserError`] where the container would not start.
    pub fn user(&self) -> Result<Identity, UserError> {
        self.accounts.resolve(&self.config.user)
    }

    /// The process that containerd starts for this user, without a pod that says otherwise: root
    /// has its default capabilities, nobody else has any.
    #[must_use]
    pub fn first_process(&self, user: &Identity) -> Credentials {
        let capabilities = if user.uid == 0 { Set::CONTAINERD } else { Set::EMPTY };
        Credentials::unprivileged(user.uid, user.gid, &user.groups).with_effective(capabilities)
    }

    /// The file that a container starts, links followed: the first word of `command`, or of the
    /// image's own where that is empty, looked for along PATH as runc does.
    #[must_use]
    pub fn program(&self, command: &[String]) -> Option<PathId> {
        let own = self.config.entrypoint.first().or(self.config.command.first());
        let word = command.first().or(own)?;
        let candidates = if word.contains('/') {
            vec![format!(
                "{}/{word}",
                if word.starts_with('/') { "" } else { self.working_directory() }
            )]
        } else {
            self.config
                .variable("PATH")?
                .split(':')
                .map(|directory| format!("{directory}/{word}"))
                .collect()
        };
        let found = candidates.iter().filter_map(|path| self.tree.resolve(path.as_bytes(), true));
        found.into_iter().find(|path| {
            self.tree.get(*path).is_some_and(|file| file.attributes.file_type == FileType::File)
        })
    }

    /// The image's files without anything mounted over them.
    pub fn with_files<T>(&self, ask: impl FnOnce(&Files<'_>) -> T) -> T {
        let lookup = |path: &str| self.tree.lookup(path);
        ask(&Files::new(&lookup, false, Vec::new()))
    }

    /// What a look into a container of the image would show at a path.
    #[must_use]
    pub fn stat(&self, path: PathId) -> Option<PathStat> {
        let inode = Inode::from(&self.tree.get(path)?.attributes);
        Some(PathStat::new(self.tree.paths().display(path), inode))
    }

    /// Whether a process gets this access to a path of the bare image.
    #[must_use]
    pub fn may(&self, process: &Credentials, path: &str, access: Access) -> bool {
        self.with_files(|files| decide(process, files, path, access).allowed())
    }

    /// HOME as a process of this uid finds it: the image's, else that of /etc/passwd, else `/`
    /// (runc's `libcontainer/env.go`).
    #[must_use]
    pub fn home(&self, uid: u32) -> &str {
        let set = self.config.variable("HOME").filter(|home| !home.is_empty());
        set.or_else(|| Some(self.accounts.user(uid)?.home.as_str()))
            .filter(|home| !home.is_empty())
            .unwrap_or("/")
    }

    #[must_use]
    pub fn working_directory(&self) -> &str {
        if self.config.working_directory.is_empty() { "/" } else { &self.config.working_directory }
    }

    /// The topmost directories in which the process may make files, each without those below it
    /// that it also may.
    #[must_use]
    pub fn writable_directories(&self, process: &Credentials) -> Vec<PathId> {
        let mut writable = Vec::new();
        let mut open = vec![PathId::ROOT];
        while let Some(path) = open.pop() {
            let directory = match self.tree.get(path) {
                Some(file) if file.attributes.file_type == FileType::Directory => {
                    Inode::from(&file.attributes)
                }
                None if path == PathId::ROOT => Inode::directory(0o755, 0, 0),
                _ => continue,
            };
            if may(process, &directory, Permission::CHANGE_DIRECTORY) {
                writable.push(path);
            } else if may(process, &directory, Permission::EXECUTE) {
                open.extend(self.tree.children(path).into_iter().rev());
            }
        }
        writable
    }

    /// The topmost directories of this owner, each without those of the same owner below it.
    #[must_use]
    pub fn owned_directories(&self, uid: u32) -> Vec<PathId> {
        let mut owned: Vec<PathId> = Vec::new();
        let mut open = vec![PathId::ROOT];
        while let Some(path) = open.pop() {
            match self.tree.get(path).map(|file| &file.attributes) {
                Some(file) if file.file_type != FileType::Directory => {}
                Some(directory) if directory.uid == uid => owned.push(path),
                _ => open.extend(self.tree.children(path).into_iter().rev()),
            }
        }
        owned
    }

    /// The empty directories below a directory, itself among them, but for those of what a
    /// package manager installs.
    #[must_use]
    pub fn empty_directories(&self, directory: &str) -> Vec<PathId> {
        let mut empty = Vec::new();
        let mut open: Vec<PathId> =
            self.tree.resolve(directory.as_bytes(), true).into_iter().collect();
        while let Some(path) = open.pop() {
            let is_directory = |file: &ImageFile| file.attributes.file_type == FileType::Directory;
            let is_installed =
                INSTALLED.iter().any(|name| self.tree.paths().name(path) == name.as_bytes());
            if is_installed || !self.tree.get(path).is_some_and(is_directory) {
                continue;
            }
            match self.tree.children(path) {
                children if children.is_empty() => empty.push(path),
                children => open.extend(children.into_iter().rev()),
            }
        }
        empty
    }

    /// Files that give whoever executes them another user, group or a capability.
    #[must_use]
    pub fn privileged_files(&self) -> Vec<PathId> {
        const SETGID: u16 = Inode::SETGID_AND_EXECUTABLE;
        let privileged = |mode: u16| mode & Inode::SETUID != 0 || mode & SETGID == SETGID;
        self.tree
            .below(PathId::ROOT)
            .filter(|(_, file)| file.attributes.file_type == FileType::File)
            .filter(|(_, file)| {
                privileged(file.attributes.mode) || file.attributes.capabilities.is_some()
            })
            .map(|(path, _)| path)
            .collect()
    }

    /// What a directory holds: all that an empty volume over it would hide. Links to it are
    /// followed; `None` where it does not exist.
    #[must_use]
    pub fn content(&self, path: &str) -> Option<DirectoryContent> {
        let directory = self.tree.resolve(path.as_bytes(), true)?;
        self.tree.get(directory)?;
        let mut content = DirectoryContent::default();
        for (_, file) in self
            .tree
            .below(directory)
            .filter(|(_, file)| file.attributes.file_type != FileType::Directory)
        {
            content.files += 1;
            content.bytes = content.bytes.saturating_add(file.attributes.size);
        }
        Some(content)
    }

    /// The users that packages or the Dockerfile made or used, in the order of /etc/passwd: those
    /// that the distribution's own layer does not have, and those of its users that a layer
    /// above gives files to. Where there is no layer above, those whose uid is not the
    /// distribution's to give, or that own files.
    #[must_use]
    pub fn made_users(&self) -> Vec<&Account> {
        let alone = self.layers.len() <= self.base_layer + 1;
        let above =
            self.tree.below(PathId::ROOT).filter(|(_, file)| alone || file.layer > self.base_layer);
        let mut owners: Vec<u32> = above.map(|(_, file)| file.attributes.uid).collect();
        owners.sort_unstable();
        owners.dedup();
        let made = |user: &&Account| {
            let new = if alone {
                user.uid >= FIRST_PACKAGE_UID
            } else {
                self.base_accounts.named(&user.name).is_none()
            };
            new || owners.binary_search(&user.uid).is_ok()
        };
        let nobodys = |user: &&Account| {
            user.uid == 0
                || user.uid == NOBODY
                || user.name == APT
                || user.name.starts_with(SYSTEMD)
        };
        self.accounts.users.iter().filter(|user| made(user) && !nobodys(user)).collect()
    }

    /// Most likely the program's own user: the made user with the most directories, those of its
    /// group counted after its own; the first of equals.
    #[must_use]
    pub fn program_user(&self) -> Option<&Account> {
        let group_directories = |gid: u32| {
            let directories = self.tree.below(PathId::ROOT).map(|(_, file)| &file.attributes);
            directories
                .filter(|file| file.file_type == FileType::Directory && file.gid == gid)
                .count()
        };
        let rank =
            |user: &&Account| (self.owned_directories(user.uid).len(), group_directories(user.gid));
        self.made_users().into_iter().rev().max_by_key(rank)
    }
}

fn accounts(tree: &Tree) -> Accounts {
    let read = |path| tree.content(path).unwrap_or_default();
    Accounts::parse(read("/etc/passwd"), read("/etc/group"))
}
