//! What a path is, by its name alone.

use std::sync::LazyLock;

use regex::Regex;

use super::errno::compile;

/// A path that is a directory by its name: `/.cache` or `/home/app/.local`, which caches and
/// installers want to make before anything in it.
pub(crate) fn is_directory(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    // Directly under one of them stands a directory for each program.
    let above = path.rsplit('/').nth(1).unwrap_or_default();
    (matches!(above, ".cache" | ".config") && !last.contains('.') && !last.ends_with("rc"))
        || matches!(
            last,
            ".cache"
                | ".config"
                | ".local"
                | ".npm"
                | ".yarn"
                | ".m2"
                | ".gradle"
                | ".cargo"
                | ".pm2"
                | ".nuget"
                | ".dotnet"
                | ".aws"
                | ".kube"
                | ".docker"
                | ".ssh"
                | ".gnupg"
                | ".java"
                | ".ipython"
                | ".jupyter"
                | ".keras"
                | ".nv"
                | ".streamlit"
                | ".matplotlib"
                | ".composer"
                | ".bundle"
                | ".gem"
                | ".pki"
                | ".mozilla"
                | ".fonts"
                | ".ansible"
                | ".terraform.d"
                | ".helm"
                | ".pip"
                | ".conda"
                | ".vscode"
                | ".sonar"
                | ".ivy2"
                | ".sbt"
                | ".node-gyp"
                | ".cpanm"
                | ".cpan"
                | ".astropy"
                | ".theano"
                | ".dbus"
                | ".erlang.d"
                | ".mix"
                | ".hex"
        )
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
