//! An image for tools (`kind: Image`) and for a person.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::terminal::{Clean, wrapped};
use crate::model::filesystem::inode::Mode;
use crate::model::filesystem::{Access, FileType};
use crate::model::identity::Candidate;
use crate::model::image::advice::Advice as ModelAdvice;
use crate::model::image::layer::Attributes;
use crate::model::image::paths::PathId;
use crate::model::image::tree::ImageFile;
use crate::model::image::{Image, Port};

/// `kind: Image`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub warnings: Vec<String>,
    /// The container that runs it, where a workload was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The reference or file as it was given.
    pub name: String,
    /// Of the manifest.
    pub digest: Option<String>,
    pub platform: String,
    /// USER as the image has it, empty where it has none.
    pub user: String,
    /// What USER resolves to; null where the image's own files do not tell.
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub groups: Vec<u32>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    /// As the image has them: `80/tcp`.
    pub exposed_ports: Vec<String>,
    pub working_directory: Place,
    pub home: Place,
    pub volumes: Vec<Directory>,
    /// Users that it could run as, best first.
    pub identities: Vec<Identity>,
    /// Those that packages or the Dockerfile made.
    pub users: Vec<User>,
    /// The topmost directories that the image's user may write.
    pub writable: Vec<String>,
    /// Files with setuid, setgid or capabilities.
    pub privileged_files: Vec<File>,
    pub layers: Vec<Layer>,
    /// Who owns the files that a container sees, the greatest share first.
    pub owners: Vec<Owner>,
    pub size_bytes: u64,
    pub efficiency: f64,
    pub wasted_bytes: u64,
    pub chowned_bytes: u64,
    pub advice: Vec<Advice>,
    /// On request only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<File>>,
}

/// A uid and gid that the image could run as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub why: String,
}

/// The images of a workload's containers (`kind: ImageList`).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageList {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub warnings: Vec<String>,
    pub images: Vec<ImageReport>,
}

impl ImageList {
    #[must_use]
    pub fn new(warnings: Vec<String>, images: Vec<ImageReport>) -> ImageList {
        ImageList { api_version: super::API_VERSION, kind: "ImageList", warnings, images }
    }
}

/// A directory that the process starts in or calls home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub path: String,
    pub exists: bool,
    /// Whether the image's user may write it; null where that user is not known.
    pub writable: Option<bool>,
}

/// A directory and what an empty volume over it would hide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Directory {
    pub path: String,
    pub owner: Option<String>,
    pub mode: Option<String>,
    pub files: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: String,
    /// The topmost ones that it owns.
    pub directories: Vec<Directory>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    pub digest: String,
    pub size: u64,
    pub command: String,
    pub chowned_bytes: u64,
    /// Of its files that no later layer hides: bytes by owner, in the order of the image's owners.
    pub owners: Vec<Share>,
}

/// What a user owns in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    pub uid: u32,
    /// By the image's /etc/passwd.
    pub name: Option<String>,
    pub files: u64,
    pub bytes: u64,
}

/// A user's part of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    pub uid: u32,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    pub path: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub uid: u32,
    pub gid: u32,
    /// In octal: `0644`.
    pub mode: String,
    pub size: u64,
    /// As getcap(8) prints them.
    pub capabilities: Option<String>,
    /// Its index in `layers`.
    pub layer: usize,
    /// Where a symbolic link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    pub line: String,
    pub why: String,
    pub bytes_saved: u64,
}

impl ImageReport {
    /// The report on an image and the users that it could run as; `files` is a directory to list.
    #[must_use]
    pub fn new(image: &Image, identities: Vec<Candidate>, files: Option<PathId>) -> ImageReport {
        let user = image.user();
        let mut warnings = image.warnings.clone();
        if let Err(error) = &user {
            warnings.push(format!("no container starts with this image's USER: {error}"));
        }
        let user = user.ok();
        let process = user.as_ref().map(|user| image.first_process(user));
        let place = |path: &str| Place {
            path: path.to_owned(),
            exists: image.tree.resolve(path.as_bytes(), true).is_some(),
            writable: process.as_ref().map(|process| image.may(process, path, Access::Write)),
        };
        let writable = process.as_ref().filter(|process| process.uid.effective != 0);
        let (owners, shares) = owners(image);
        let paths =
            |found: Vec<PathId>| found.into_iter().map(|path| image.tree.paths().display(path));
        ImageReport {
            api_version: super::API_VERSION,
            kind: "Image",
            warnings,
            container: None,
            name: image.name.clone(),
            digest: image.digest.clone(),
            platform: image.platform.clone(),
            user: image.config.user.clone(),
            uid: user.as_ref().map(|user| user.uid),
            gid: user.as_ref().map(|user| user.gid),
            groups: user.as_ref().map(|user| user.groups.clone()).unwrap_or_default(),
            entrypoint: image.config.entrypoint.clone(),
            command: image.config.command.clone(),
            exposed_ports: image.config.exposed_ports.iter().map(port).collect(),
            working_directory: place(image.working_directory()),
            home: place(image.home(user.as_ref().map_or(0, |user| user.uid))),
            volumes: image.config.volumes.iter().map(|path| directory(image, path)).collect(),
            identities: identities
                .into_iter()
                .map(|Candidate { uid, gid, groups, why, .. }| Identity { uid, gid, groups, why })
                .collect(),
            users: image
                .made_users()
                .into_iter()
                .map(|user| User {
                    name: user.name.clone(),
                    uid: user.uid,
                    gid: user.gid,
                    home: user.home.clone(),
                    directories: paths(image.owned_directories(user.uid))
                        .map(|path| directory(image, &path))
                        .collect(),
                })
                .collect(),
            writable: writable
                .map(|subject| paths(image.writable_directories(subject)).collect())
                .unwrap_or_default(),
            privileged_files: image
                .privileged_files()
                .into_iter()
                .filter_map(|path| Some(file(image, path, image.tree.get(path)?)))
                .collect(),
            layers: image
                .layers
                .iter()
                .zip(shares)
                .map(|(layer, owners)| Layer {
                    digest: layer.digest.clone(),
                    size: layer.size,
                    command: layer.command.clone(),
                    chowned_bytes: layer.chowned_bytes(),
                    owners,
                })
                .collect(),
            owners,
            size_bytes: image.size(),
            efficiency: image.efficiency,
            wasted_bytes: image.wasted_bytes,
            chowned_bytes: image.chowned_bytes(),
            advice: image.advice().into_iter().map(Advice::from).collect(),
            files: files.map(|top| {
                image.tree.below(top).map(|(path, found)| file(image, path, found)).collect()
            }),
        }
    }
}

/// Who owns how much of all that is visible, and of each layer.
fn owners(image: &Image) -> (Vec<Owner>, Vec<Vec<Share>>) {
    let mut owners: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    let mut of_layers: Vec<BTreeMap<u32, u64>> = vec![BTreeMap::new(); image.layers.len()];
    for (_, file) in image.tree.below(PathId::ROOT) {
        let Attributes { uid, size, file_type, .. } = file.attributes;
        let (files, bytes) = owners.entry(uid).or_default();
        if file_type != FileType::Directory {
            *files += 1;
        }
        if file_type == FileType::File {
            *bytes += size;
            if let Some(layer) = of_layers.get_mut(file.layer) {
                *layer.entry(uid).or_default() += size;
            }
        }
    }
    let name = |uid| image.accounts.user(uid).map(|account| account.name.clone());
    let owner = |(uid, (files, bytes))| Owner { uid, name: name(uid), files, bytes };
    let mut owners: Vec<Owner> = owners.into_iter().map(owner).collect();
    owners.sort_by_key(|owner| (Reverse(owner.bytes), owner.uid));
    let share =
        |layer: &BTreeMap<u32, u64>, uid: u32| Some(Share { uid, bytes: *layer.get(&uid)? });
    let shares = |layer: BTreeMap<u32, u64>| {
        owners.iter().filter_map(|owner| share(&layer, owner.uid)).collect()
    };
    let shares = of_layers.into_iter().map(shares).collect();
    (owners, shares)
}

fn port(port: &Port) -> String {
    format!("{}/{}", port.number, port.protocol)
}

fn directory(image: &Image, path: &str) -> Directory {
    let attributes =
        image.tree.resolve(path.as_bytes(), true).and_then(|found| image.tree.get(found));
    let attributes = attributes.map(|file| &file.attributes);
    let content = image.content(path).unwrap_or_default();
    Directory {
        path: path.to_owned(),
        owner: attributes.map(|directory| format!("{}:{}", directory.uid, directory.gid)),
        mode: attributes.map(|directory| octal(directory.mode)),
        files: content.files,
        bytes: content.bytes,
    }
}

fn octal(mode: u16) -> String {
    format!("{mode:04o}")
}

fn file(image: &Image, path: PathId, found: &ImageFile) -> File {
    let attributes = &found.attributes;
    File {
        path: image.tree.paths().display(path),
        kind: attributes.file_type.as_str(),
        uid: attributes.uid,
        gid: attributes.gid,
        mode: octal(attributes.mode),
        size: attributes.size,
        capabilities: attributes.capabilities.map(|capabilities| capabilities.to_string()),
        layer: found.layer,
        target: attributes
            .target
            .as_deref()
            .map(|target| String::from_utf8_lossy(target).into_owned()),
    }
}

impl From<ModelAdvice> for Advice {
    fn from(advice: ModelAdvice) -> Advice {
        Advice { line: advice.line, why: advice.why, bytes_saved: advice.saves }
    }
}

/// The files below a directory, one a line, as `ls -l` and with the layer that each came from.
/// Written file by file, since an image may have a million.
pub fn tree(image: &Image, top: PathId, mut line: impl FnMut(&str)) {
    let mut text = String::new();
    for (path, found) in image.tree.below(top) {
        let attributes = &found.attributes;
        let owner = format!("{}:{}", attributes.uid, attributes.gid);
        let size = if attributes.file_type == FileType::File {
            bytes(attributes.size)
        } else {
            "-".to_owned()
        };
        let mode = Mode(attributes.file_type, attributes.mode).to_string();
        let shown = image.tree.paths().display(path);
        text.clear();
        // Writing to a string does not fail.
        let _ =
            write!(text, "{mode}  {owner:<11} {size:>8}  {:>3}  {}", found.layer, Clean(&shown));
        if let Some(target) = &attributes.target {
            let _ = write!(text, " -> {}", Clean(&String::from_utf8_lossy(target)));
        }
        if let Some(capabilities) = attributes.capabilities {
            let _ = write!(text, "  {capabilities}");
        }
        text.push('\n');
        line(&text);
    }
}

/// The report for a person, `width` columns wide.
#[must_use]
pub fn table(report: &ImageReport, width: usize) -> String {
    let mut out = Page { text: String::new(), width };
    if let Some(container) = &report.container {
        out.field("Container", container);
    }
    let name = match &report.digest {
        Some(digest) if !report.name.contains(digest.as_str()) => {
            format!("{} ({digest})", report.name)
        }
        _ => report.name.clone(),
    };
    out.field("Image", &format!("{name}, {}", report.platform));
    out.field("User", &user(report));
    if !report.exposed_ports.is_empty() {
        let marked = report.exposed_ports.iter().map(|port| match Port::parse(port) {
            Some(parsed) if parsed.privileged() => format!("{port} (below 1024)"),
            _ => port.clone(),
        });
        out.field("Ports", &marked.collect::<Vec<_>>().join(", "));
    }
    out.field("Starts", &[report.entrypoint.as_slice(), &report.command].concat().join(" "));
    out.field("Directory", &place(&report.working_directory));
    out.field("HOME", &place(&report.home));
    if !report.writable.is_empty() {
        out.field("Writes", &report.writable.join(" "));
    }
    out.section("Could run as, best first", report.identities.iter().map(identity_line));
    out.section("Volumes", report.volumes.iter().map(directory_line));
    out.section(
        "Users made by packages or the Dockerfile",
        report.users.iter().flat_map(user_lines),
    );
    out.section(
        "Files with setuid, setgid or capabilities",
        report.privileged_files.iter().map(|file| {
            let capabilities =
                file.capabilities.as_ref().map(|c| format!("  {c}")).unwrap_or_default();
            format!("{}  {}:{}  {}{capabilities}", file.mode, file.uid, file.gid, file.path)
        }),
    );
    out.section(
        "Layers",
        report.layers.iter().enumerate().map(|(number, layer)| {
            let chowned = match layer.chowned_bytes {
                0 => String::new(),
                count => format!("[{} only for an owner or mode] ", bytes(count)),
            };
            format!("{number:>3} {:>8}  {chowned}{}", bytes(layer.size), layer.command)
        }),
    );
    let total = format!(
        "{} in {} layers, efficiency {:.1} %, {} wasted, {} of it by a change of owner or mode",
        bytes(report.size_bytes),
        report.layers.len(),
        report.efficiency * 100.0,
        bytes(report.wasted_bytes),
        bytes(report.chowned_bytes),
    );
    out.text.push('\n');
    let _ = wrapped(&mut out.text, "", 0, &total, width);
    if !report.advice.is_empty() {
        out.text.push_str("\nIn the Dockerfile\n");
        for advice in &report.advice {
            let saves = match advice.bytes_saved {
                0 => String::new(),
                count => format!(" (saves {})", bytes(count)),
            };
            let _ = writeln!(out.text, "  {}{saves}", Clean(&advice.line));
            let _ = wrapped(&mut out.text, "      ", 6, &Clean(&advice.why).to_string(), width);
        }
    }
    out.text
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn field(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let _ = wrapped(
                &mut self.text,
                &format!("{name:<10} "),
                11,
                &Clean(value).to_string(),
                self.width,
            );
        }
    }

    fn section(&mut self, title: &str, lines: impl Iterator<Item = String>) {
        let mut lines = lines.peekable();
        if lines.peek().is_some() {
            let _ = writeln!(self.text, "\n{title}");
        }
        for line in lines {
            let line = format!("  {}", Clean(&line));
            let _ =
                writeln!(self.text, "{}", console::truncate_str(line.trim_end(), self.width, "…"));
        }
    }
}

fn user(report: &ImageReport) -> String {
    let written = if report.user.is_empty() { "none given" } else { &report.user };
    match (report.uid, report.gid) {
        (Some(uid), Some(gid)) => {
            let root = if uid == 0 { ", which is root" } else { "" };
            let groups: String =
                report.groups.iter().map(|group| format!(", group {group}")).collect();
            format!("{written}: uid {uid}, gid {gid}{groups}{root}")
        }
        _ => format!("{written}: unknown, the image's files do not name it"),
    }
}

fn place(place: &Place) -> String {
    let writable = match (place.exists, place.writable) {
        (_, None) => "",
        (true, Some(true)) => " (writable)",
        (true, Some(false)) => " (not writable for this user)",
        (false, Some(true)) => " (does not exist, could be made)",
        (false, Some(false)) => " (does not exist, cannot be made by this user)",
    };
    format!("{}{writable}", place.path)
}

fn identity_line(identity: &Identity) -> String {
    let groups: String = identity.groups.iter().map(|group| format!(" +{group}")).collect();
    let who = format!("{}:{}{groups}", identity.uid, identity.gid);
    format!("{who:<12} {}", identity.why)
}

fn directory_line(directory: &Directory) -> String {
    let Directory { path, owner, mode, files, bytes: size } = directory;
    let content = match files {
        0 => "empty".to_owned(),
        1 => format!("1 file, {}", bytes(*size)),
        count => format!("{count} files, {}", bytes(*size)),
    };
    match (owner, mode) {
        (Some(owner), Some(mode)) => format!("{path}  {mode} {owner}  {content}"),
        _ => format!("{path}  not in the image"),
    }
}

fn user_lines(user: &User) -> Vec<String> {
    let head = format!("{} uid {}, gid {}, home {}", user.name, user.uid, user.gid, user.home);
    let directories =
        user.directories.iter().map(|directory| format!("  {}", directory_line(directory)));
    std::iter::once(head).chain(directories).collect()
}

/// A size for reading, in dive's decimal units: `999 B`, `1.2 kB`, `45 MB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = count as f64 / 1000.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_dives() {
        let shown: Vec<String> =
            [0, 999, 1000, 9_949, 9_950, 999_499, 999_500, 1_500_000_000].map(bytes).to_vec();
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "1.5 GB"]
        );
    }
}
