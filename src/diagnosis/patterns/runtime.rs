//! The OCI runtime's own failures before the program runs.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, errno::compile, path_kind, verb};
use crate::model::obstacle::{Category, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "runtime-cwd",
    title: "the container's working directory may not be entered",
    explain: "The runtime changes to the working directory as the container's user before it starts the program: that user needs \
              the execute bit on the directory and on all above it. /root is 0700 in most images.",
    source: "runc libcontainer/init_linux.go: verifyCwd; crun libcrun/container.c",
    signals: &["chdir to cwd", "to cwd", "chdir"],
    examples: &[
        Example {
            log: "OCI runtime create failed: chdir to cwd (\"/root\") set in config.json failed: permission denied: unknown",
            expected: "other EACCES /root home-unwritable",
        },
        Example {
            log: "crun: cannot chdir to `/srv/app`: Permission denied: OCI permission denied",
            expected: "other EACCES /srv/app unwritable-path",
        },
        Example {
            log: "Can't change dir to '/srv/mysql/' (Errcode: 13 \"Permission denied\")",
            expected: "other EACCES /srv/mysql/ unwritable-path",
        },
        Example {
            log: "sh: cd: line 1: can't cd to /srv/app: Permission denied",
            expected: "other EACCES /srv/app unwritable-path",
        },
    ],
    near_misses: &["chdir to cwd (\"/srv\") set in config.json failed: no such file or directory"],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static CHDIR: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"chdir(?: to)?(?: cwd)?",
            r"(?:change|changing|switch\w*|enter\w*) (?:to )?(?:the )?(?:working |current |data )?(?:dir|directory)(?: to)?",
            r"(?:can't )?cd(?: to)?",
            r"getcwd",
            r"cwd",
            r"dir_chdir0?",
            r"shell-init",
        ])
    });
    static HARMLESS: LazyLock<Regex> =
        LazyLock::new(|| compile(r"could not change directory to|shell-init|getcwd"));
    let verb = context.verb(&CHDIR, Operation::Other)?;
    let path = context.object(verb);
    let errno = context.refusal().map(|refusal| refusal.errno);
    let category = if path.as_deref().is_some_and(path_kind::is_in_home) {
        Category::HomeUnwritable
    } else {
        Category::UnwritablePath
    };
    let harmless = HARMLESS.is_match(context.text());
    let place = path.as_deref().unwrap_or("the working directory");
    let cause = format!(
        "the container's user may not enter {place}: it, or a directory above it, is closed to this user"
    );
    let finding = Finding::new(Operation::Other, category).errno(errno).path(path).cause(cause);
    Some(finding.confidence(verb.confidence).harmless(harmless))
}
