//! What a path is, by its name alone.

use std::sync::LazyLock;

use regex::Regex;

use super::{errno::compile, home_directories::HOME_DIRECTORIES};

/// A path that is a directory by its name. Programs make it before anything in it.
///
/// In a home it is a hidden name without an extension: hidden files there end in a word for what
/// they hold. Elsewhere, which may be the home of a user that the image made, it is one of
/// [`HOME_DIRECTORIES`].
pub(crate) fn is_directory(path: &str) -> bool {
    static HIDDEN: LazyLock<Regex> = LazyLock::new(|| compile(r"^\.[A-Za-z][\w-]*(?:\.d)?$"));
    static FILE: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)(?:rc|env|lock|log|pid|rnd|db|key|token|cookie|profile|login|logout|history|hist|hst|hsts|info|pass|passwd|secret|access|credentials?|conf|cfg|config|settings|defaults|ignore|keep|version|lastrun|auth|authority|done|ready)$",
        )
    });
    let mut names = path.rsplit('/');
    let last = names.next().unwrap_or_default();
    match names.next() {
        // They have a directory for each program.
        Some(".cache" | ".config") => !last.contains('.') && !last.ends_with("rc"),
        _ if HOME_DIRECTORIES.contains(&last) => true,
        _ => is_in_home(path) && HIDDEN.is_match(last) && !FILE.is_match(last),
    }
}

/// A file that only a program with something to write would name: numbered as nginx numbers its
/// temporary files.
pub(crate) fn is_temporary(path: &str) -> bool {
    static NUMBERED: LazyLock<Regex> = LazyLock::new(|| compile(r"/\d{10}$"));
    NUMBERED.is_match(path)
}

/// A device node: anything in /dev but the standard streams, which are links, and the directories
/// that hold files.
pub(crate) fn is_device(path: &str) -> bool {
    let Some(name) = path.strip_prefix("/dev/") else { return false };
    let is_file = ["stdin", "stdout", "stderr", "fd", "shm", "log", "termination-log", "mqueue"]
        .iter()
        .any(|other| {
            name == *other || name.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))
        });
    !name.is_empty() && !is_file
}

/// A place under a user's home directory: also under `/` itself, the home of a uid that is not in
/// /etc/passwd.
pub(crate) fn is_in_home(path: &str) -> bool {
    static HOME: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"^(?:/+|~/*)(?:(?:root|home/[^/]+|nonexistent|var/empty|var/www|Users/[^/]+)/+)?\.[A-Za-z][\w.-]*(?:/|$)|^~|^/+(?:root|nonexistent|home/[^/]+)(?:/|$)",
        )
    });
    HOME.is_match(path)
}

/// Logs that the runtime and the kubelet write on the node, and what else of the node a container
/// has under /host.
pub(crate) fn is_of_node(path: &str) -> bool {
    static NODE: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"^(?:/host(?:fs|root)?)?/(?:var/log/(?:pods|containers|journal|audit)|var/lib/docker/containers|run/log/journal)(?:/|$)|^/(?:host|hostfs|rootfs|host_mnt)/",
        )
    });
    NODE.is_match(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_name_is_a_directory_unless_it_says_what_it_holds() {
        for path in ["/.cache", "/home/app/.local", "/root/.m2", "~/.terraform.d", "/srv/.cache"] {
            assert!(is_directory(path), "{path}");
        }
        for path in [
            "/.npmrc",
            "/root/.bash_history",
            "/.gitconfig",
            "/srv/.touch",
            "/.config/x.toml",
            "/a",
        ] {
            assert!(!is_directory(path), "{path}");
        }
    }
}
