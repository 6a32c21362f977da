//! What removes an obstacle, one file a remedy.

mod advice_on_image;
mod advice_on_node;
mod args;
mod bypassed_launcher;
mod config;
mod copied_file;
mod empty_dir;
mod env;
mod file_capability;
mod fs_group;
mod identity;
mod own_directory;
mod passwd_entry;
mod pod_security;
mod read_only_root;
mod real_privilege;
mod se_linux_level;
mod seeded_empty_dir;
mod skipped_command;
mod supplemental_groups;
mod sysctl;
mod user_namespace;
mod writable_file;

use std::fmt;

pub use self::advice_on_node::device_ownership;
pub use self::args::called;
pub use self::config::directives;
pub use self::copied_file::SEARCH_PATH;
pub use self::identity::run_as;
pub use self::pod_security::POD_SECURITY_FIELDS;
pub use self::read_only_root::{READ_ONLY_ROOT, read_only_root};
pub use self::user_namespace::last_resort;

use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Obstacle};

/// Where a remedy is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemedyLayer {
    Pod,
    Env,
    Args,
    Config,
    Image,
    Node,
}

impl RemedyLayer {
    /// The name in JSON output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RemedyLayer::Pod => "pod",
            RemedyLayer::Env => "env",
            RemedyLayer::Args => "args",
            RemedyLayer::Config => "config",
            RemedyLayer::Image => "image",
            RemedyLayer::Node => "node",
        }
    }
}

impl fmt::Display for RemedyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One way to remove obstacles.
#[derive(Debug, Clone, Copy)]
pub struct Remedy {
    /// Unique, in kebab case.
    pub id: &'static str,
    pub layer: RemedyLayer,
    pub title: &'static str,
    /// What it does, what it needs, what it costs.
    pub explain: &'static str,
    /// The kinds of obstacle that it can remove.
    pub removes: &'static [Category],
    /// The sentence for an obstacle of which nothing but a text is known; `None` where it would be
    /// wrong.
    suggest: fn(&Obstacle) -> Option<String>,
    /// The edits for an obstacle of a container of which the facts are known, each a try of its
    /// own, best first. `None` where no edit of the workload does it.
    propose: Option<fn(&Obstacle, &Facts) -> Vec<Proposal>>,
}

impl Remedy {
    fn proposal(&self, summary: String, edits: Vec<Edit>) -> Proposal {
        Proposal { remedy: self.id, layer: self.layer, summary, edits }
    }
}

/// Edits that may remove an obstacle, to be made together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    pub remedy: &'static str,
    pub layer: RemedyLayer,
    pub summary: String,
    pub edits: Vec<Edit>,
}

/// A remedy for an obstacle, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub id: &'static str,
    pub layer: RemedyLayer,
    pub summary: String,
}

/// Every remedy, lowest rung first.
pub const REMEDIES: &[Remedy] = &[
    pod_security::REMEDY,
    identity::REMEDY,
    own_directory::REMEDY,
    skipped_command::REMEDY,
    supplemental_groups::REMEDY,
    env::REMEDY,
    empty_dir::REMEDY,
    seeded_empty_dir::REMEDY,
    writable_file::REMEDY,
    passwd_entry::REMEDY,
    fs_group::REMEDY,
    sysctl::REMEDY,
    file_capability::REMEDY,
    copied_file::REMEDY,
    bypassed_launcher::REMEDY,
    args::REMEDY,
    config::REMEDY,
    real_privilege::REMEDY,
    se_linux_level::REMEDY,
    user_namespace::REMEDY,
    advice_on_image::REMEDY,
    advice_on_node::REMEDY,
];

/// What a program may be refused without a word, each by the remedy for it.
const SPECULATIVE: &[fn(&Facts) -> Vec<Proposal>] = &[
    sysctl::speculative,
    env::speculative,
    supplemental_groups::speculative,
    empty_dir::speculative,
    seeded_empty_dir::speculative,
];

fn for_category(category: Category) -> impl Iterator<Item = &'static Remedy> {
    REMEDIES.iter().filter(move |remedy| remedy.removes.contains(&category))
}

/// What would remove an obstacle, in the order in which it should be tried, by the text alone.
#[must_use]
pub fn remedies(obstacle: &Obstacle) -> Vec<Suggestion> {
    // HOME=/ makes //.cache, which nobody mounts anything at.
    let path = obstacle.path.as_deref().map(|path| path.replace("//", "/"));
    let obstacle = &Obstacle { path, ..obstacle.clone() };
    let suggested = for_category(obstacle.category).filter_map(|remedy| {
        let summary = (remedy.suggest)(obstacle)?;
        Some(Suggestion { id: remedy.id, layer: remedy.layer, summary })
    });
    let mut suggested: Vec<Suggestion> = suggested.collect();
    suggested.sort_by_key(|suggestion| later(suggestion.id, obstacle));
    suggested
}

/// Remedies that come after the others, though they stand on a lower rung: where nothing is known
/// of the image, what can do no harm is tried first.
fn later(id: &str, obstacle: &Obstacle) -> u8 {
    let ships = obstacle.path.as_deref().is_some_and(ships_content);
    match id {
        "real-privilege" if real_privilege::is_certain(obstacle) => 0,
        // It hides what is there, and a copy of what is there does not.
        "empty-dir" if ships => 2,
        // The last resort.
        "user-namespace" => 3,
        _ => 1,
    }
}

/// Where images have programs and settings, by custom.
fn ships_content(path: &str) -> bool {
    const PLACES: [&str; 8] =
        ["/app/", "/opt/", "/srv/", "/usr/", "/etc/", "/var/www/", "/home/", "/bin/"];
    // Caches, logs and the like are empty wherever they are.
    const EMPTY: [&str; 8] =
        ["/cache/", "/.cache/", "/tmp/", "/temp/", "/run/", "/log/", "/logs/", "/uploads/"];
    let path = format!("{path}/");
    PLACES.iter().any(|place| path.starts_with(place))
        && !EMPTY.iter().any(|place| path.contains(place))
}

/// Directories for what lives as long as the container, which no image has content in and no
/// program's user owns.
fn is_for_everybody(path: &str) -> bool {
    matches!(
        path.trim_end_matches('/'),
        "/tmp" | "/var/tmp" | "/run" | "/var/run" | "/run/lock" | "/dev/shm"
    )
}

/// Files of the node that no volume of a pod replaces: the runtime's logs, what is mounted below
/// /host, and its sockets.
fn is_of_node(path: &str) -> bool {
    const PLACES: [&str; 7] = [
        "/var/log/pods/",
        "/var/log/containers/",
        "/var/lib/docker/",
        "/var/lib/kubelet/",
        "/host/",
        "/rootfs/",
        "/proc/",
    ];
    PLACES.iter().any(|place| path.starts_with(place)) || is_engine_socket(path)
}

/// The socket of a container engine, by which one is root on the node.
fn is_engine_socket(path: &str) -> bool {
    const SOCKETS: [&str; 5] =
        ["docker.sock", "containerd.sock", "crio.sock", "podman.sock", "buildkitd.sock"];
    path.rsplit('/').next().is_some_and(|name| SOCKETS.contains(&name))
}

/// What could remove an obstacle, in the order in which it should be tried, as edits.
#[must_use]
pub fn proposals(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let remedies = for_category(obstacle.category).filter_map(|remedy| remedy.propose);
    remedies.flat_map(|propose| propose(obstacle, facts)).collect()
}

/// What would remove an obstacle of a container of which the facts are known, in the order in which
/// it should be tried: of each remedy its best edits that are `wanted`, and the sentence of one that
/// no edit makes.
#[must_use]
pub fn decided(
    obstacle: &Obstacle,
    facts: &Facts,
    wanted: impl Fn(&Proposal) -> bool,
) -> Vec<Suggestion> {
    let suggested = for_category(obstacle.category).filter_map(|remedy| {
        let summary = match remedy.propose {
            Some(propose) => propose(obstacle, facts).into_iter().find(|one| wanted(one))?.summary,
            None => (remedy.suggest)(obstacle)?,
        };
        Some(Suggestion { id: remedy.id, layer: remedy.layer, summary })
    });
    let mut suggested: Vec<Suggestion> = suggested.collect();
    suggested.sort_by_key(|one| match one.id {
        "real-privilege" if real_privilege::is_certain(obstacle) => 0,
        "user-namespace" => 2,
        _ => 1,
    });
    suggested
}

/// What could remove what a program is refused and does not tell, all of it to be made together: of
/// a program that dies in silence nothing tells which of them it wants.
#[must_use]
pub fn speculative(facts: &Facts) -> Vec<Proposal> {
    SPECULATIVE.iter().flat_map(|remedy| remedy(facts)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::obstacle::Operation;

    #[test]
    fn ids_are_unique_and_every_category_has_a_remedy() {
        for (at, remedy) in REMEDIES.iter().enumerate() {
            assert!(REMEDIES[..at].iter().all(|other| other.id != remedy.id), "{}", remedy.id);
            assert!(!remedy.explain.is_empty() && !remedy.removes.is_empty(), "{}", remedy.id);
        }
        for category in Category::ALL {
            assert!(for_category(category).next().is_some(), "{category}");
        }
    }

    #[test]
    fn a_path_is_mounted_as_people_write_it() {
        let path = Some("//.local/share".to_owned());
        let obstacle =
            Obstacle { path, ..Obstacle::new(Operation::Mkdir, Category::UnwritablePath) };
        let summaries = remedies(&obstacle).into_iter().map(|one| one.summary);
        assert!(summaries.clone().any(|one| one.contains("/.local")));
        assert!(!summaries.into_iter().any(|one| one.contains("//")));
    }

    #[test]
    fn no_answer_takes_a_protection_away() {
        for remedy in REMEDIES {
            for never in [
                "setenforce",
                "spc_t",
                "privileged: true",
                "chmod 777",
                "chmod -R 777",
                "label=disable",
            ] {
                assert!(
                    !remedy.explain.contains(never) && !remedy.title.contains(never),
                    "{}: {never}",
                    remedy.id
                );
            }
        }
    }

    #[test]
    fn a_device_is_never_offered_a_group_of_a_volume() {
        let offered: Vec<_> =
            for_category(Category::DeviceAccess).map(|remedy| remedy.id).collect();
        assert!(!offered.contains(&"fs-group") && !offered.contains(&"empty-dir"), "{offered:?}");
    }
}
