//! Files that not everybody may read, and that a program is set up with.

use super::Difference;
use crate::model::behaviour::Behaviour;
use crate::model::filesystem::PathStat;
use crate::model::inside::Inside;

/// Names that are shorter tell nothing.
const MIN_NAME: usize = 3;

/// Of the files that not everybody may read, those that a container's programs name, or that are
/// kept under the name of one. What it made itself another user makes anew.
#[must_use]
pub fn needed(private: &[PathStat], named: &[String], inside: &Inside) -> Vec<String> {
    let programs: Vec<&str> = programs(inside);
    let is_made = |path: &str| inside.changed.iter().any(|changed| changed.path == path);
    let is_named_after =
        |path: &str| path.split('/').any(|part| programs.contains(&part.trim_start_matches('.')));
    let paths = private.iter().map(|file| file.path.as_str());
    paths
        .filter(|path| named.iter().any(|one| one == path) || is_named_after(path))
        .filter(|path| !is_made(path))
        .map(str::to_owned)
        .collect()
}

/// The names of the programs that run: by their processes, and by the files that those were started
/// from.
fn programs(inside: &Inside) -> Vec<&str> {
    let started = inside.processes.iter().flat_map(|process| {
        let words = process.arguments.iter().take(2).map(String::as_str);
        words.map(|word| word.rsplit('/').next().unwrap_or(word)).chain([process.name.as_str()])
    });
    // `web-server`, `web3` and `web.py` keep what they have under `web`.
    let first = |name: &'_ str| name.find(|c: char| !c.is_alphabetic()).unwrap_or(name.len());
    started
        .map(|name| &name[..first(name)])
        .filter(|name| name.len() >= MIN_NAME && *name != "root")
        .collect()
}

/// Files that the copy as root may read and is set up with, and the other may not.
pub(super) fn compare(_: &Behaviour, copy: &Behaviour) -> Vec<Difference> {
    let unreadable = copy.unreadable.iter().map(|(container, path)| Difference::Unreadable {
        container: container.clone(),
        path: path.clone(),
    });
    unreadable.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::filesystem::Inode;
    use crate::model::inside::Process;

    #[test]
    fn what_the_program_names_or_is_named_after_it_is_needed() {
        let stat = |path: &str| PathStat::new(path, Inode::file(0o600, 0, 0));
        let private = ["/root/.web/config.py", "/config/users", "/etc/ssh/key", "/root/.web/made"];
        let inside = Inside {
            processes: vec![Process {
                name: "python3".to_owned(),
                arguments: vec!["python3".to_owned(), "/usr/local/bin/web-server".to_owned()],
                ..Process::default()
            }],
            changed: vec![stat("/root/.web/made")],
            ..Inside::default()
        };
        let private = private.map(stat);
        assert_eq!(
            needed(&private, &["/config/users".to_owned()], &inside),
            ["/root/.web/config.py", "/config/users"]
        );
    }
}
