//! What an image tells of a container before it runs: what stands where, and whether its program
//! may be started.

use std::collections::BTreeSet;

use super::obstacle;
use crate::model::facts::Facts;
use crate::model::filesystem::{Inode, PathStat};
use crate::model::image::Image;
use crate::model::image::paths::PathId;
use crate::model::obstacle::{Category, Errno, Obstacle, Operation};

/// What a shell that fills a volume needs, wherever it lies along PATH.
const TOOLS: [&str; 3] = ["sh", "cp", "mkdir"];

/// Takes from an image what no look into a container has told.
pub fn learn(facts: &mut Facts, image: &Image) {
    if facts.accounts.is_empty() {
        facts.accounts = image.accounts.users.clone();
    }
    if facts.volumes.is_empty() {
        facts.volumes = image.config.volumes.clone();
    }
    facts.search_path =
        facts.search_path.take().or_else(|| image.config.variable("PATH").map(str::to_owned));
    facts.directory = facts.directory.take().or_else(|| Some(image.working_directory().to_owned()));
    facts.has_shell |= TOOLS.iter().all(|tool| image.program(&[(*tool).to_owned()]).is_some());
    if facts.empty.is_empty() && image.working_directory() != "/" {
        let empty = image.empty_directories(image.working_directory()).into_iter();
        facts.empty = empty.map(|path| image.tree.paths().display(path)).collect();
    }
    let exposed = image.config.exposed_ports.iter().filter(|port| port.privileged());
    facts.low_ports.extend(exposed.map(|port| port.number));
    // Every byte of the image was read, as it is before anything runs.
    (facts.observer_uid, facts.looked_at_running) = (0, false);
}

/// What is at a path and on the way to it, and in it where it is a directory; links are not
/// followed.
#[must_use]
pub fn look(image: &Image, path: &str) -> Vec<PathStat> {
    let root = PathStat::new("/", Inode::directory(0o755, 0, 0));
    let mut found = vec![image.stat(PathId::ROOT).unwrap_or(root)];
    let mut at = Some(PathId::ROOT);
    for name in path.split('/').filter(|name| !name.is_empty()) {
        at = at.and_then(|dir| image.tree.paths().child(dir, name.as_bytes()));
        let Some(stat) = at.and_then(|at| image.stat(at)) else { return found };
        found.push(stat);
    }
    let entries = at.map(|dir| image.tree.children(dir)).unwrap_or_default();
    found.extend(entries.into_iter().filter_map(|entry| image.stat(entry)));
    found
}

/// The programs of a command line, or of the script that it starts, whose files carry a capability
/// in their effective set: without it in the bounding set, which `drop: [ALL]` empties, execve(2)
/// answers EPERM. `command` is the pod's own, empty where the image's holds.
#[must_use]
pub fn file_capabilities(container: &str, image: &Image, command: &[String]) -> Vec<Obstacle> {
    let words = image.lines(command).into_iter().flatten();
    let programs: BTreeSet<PathId> = words.filter_map(|word| image.program(&[word])).collect();
    programs.into_iter().filter_map(|program| file_capability(container, image, program)).collect()
}

fn file_capability(container: &str, image: &Image, program: PathId) -> Option<Obstacle> {
    let carried =
        image.tree.get(program)?.attributes.capabilities.filter(|carried| carried.effective)?;
    let (own, others): (Vec<_>, Vec<_>) =
        carried.permitted.iter().partition(|one| one.name() == "NET_BIND_SERVICE");
    // Of several the one that stands in the way is one that restricted does not allow to be added.
    let missing = others.first().or(own.first())?;
    let path = image.tree.paths().display(program);
    let cause =
        format!("{path} carries {}, which is taken out of its bounding set", carried.permitted);
    let source = format!("image of container {container}");
    let refused = obstacle(container, &source, Operation::Exec, Category::NotExecutable, cause);
    let capability = Some(missing.name().to_owned());
    Some(Obstacle { path: Some(path), errno: Some(Errno::Eperm), capability, ..refused })
}
