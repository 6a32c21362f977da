//! SELinux denials in the audit log.

mod node_services;

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, errno::compile};
use crate::model::detail::Detail;
use crate::model::obstacle::{Category, Errno, Operation};
use crate::model::se_linux::{Label, Mismatch};

pub(super) const PATTERN: Pattern = Pattern {
    id: "selinux",
    title: "SELinux denied an access",
    explain: "SELinux compares the label of the process with the label of the object, whatever the user is: mode bits and uids do not \
              matter. Containers run as `container_t` with two categories (MCS) of their own; files of another pod, or of the \
              host, carry other categories or another type.",
    source: "auditd's AVC records; container-selinux; Documentation/admin-guide/LSM/SELinux.rst",
    signals: &["avc:", "type=avc", "type=1400", "selinux"],
    examples: &[
        Example {
            log: "type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=83 success=no exit=-13 comm=\"app\" key=(null) type=AVC msg=audit(1.2:3): avc:  denied  { search } for  pid=9 comm=\"app\" name=\"7\" dev=\"proc\" ino=6 scontext=system_u:system_r:container_t:s0:c1,c2 tcontext=system_u:system_r:init_t:s0 tclass=dir permissive=0",
            expected: "selinux EACCES 7 selinux",
        },
        Example {
            log: "type=AVC msg=audit(1.2:3): avc:  denied  { write } for  pid=9 comm=\"app\" name=\"data\" dev=\"sda4\" ino=6 scontext=system_u:system_r:container_t:s0:c178,c513 tcontext=system_u:object_r:container_file_t:s0:c351,c450 tclass=dir permissive=0",
            expected: "selinux EACCES data selinux",
        },
        Example {
            log: "type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c comm=\"app\" exe=\"/srv/app\" subj=system_u:system_r:container_t:s0:c1,c2 key=(null)\ntype=AVC msg=audit(1.2:3): avc:  denied  { open } for  pid=9 comm=\"app\" path=\"/srv/data/log\" dev=\"vda1\" ino=6 scontext=system_u:system_r:container_t:s0:c1,c2 tcontext=system_u:object_r:container_file_t:s0:c3,c4 tclass=file permissive=0",
            expected: "selinux EACCES /srv/data/log selinux",
        },
        Example {
            log: "type=AVC msg=audit(1.2:3): avc:  denied  { read } for  pid=9 comm=\"app\" name=\"data\" dev=\"vda1\" ino=6 scontext=system_u:system_r:container_t:s0:c1,c2 tcontext=system_u:object_r:var_t:s0 tclass=dir permissive=0\ntype=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=257 success=no exit=-13 comm=\"app\" exe=\"/srv/app\"\ntype=CWD msg=audit(1.2:3): cwd=\"/srv\"\ntype=PATH msg=audit(1.2:3): item=0 name=\"/var/app/data\" inode=6 dev=fd:01 mode=040700 ouid=0 ogid=0",
            expected: "selinux EACCES /var/app/data selinux",
        },
    ],
    near_misses: &[
        "type=AVC msg=audit(1.2:3): avc:  denied  { read } for  pid=9 comm=\"chronyd\" name=\"hosts\" scontext=system_u:system_r:chronyd_t:s0 tcontext=system_u:object_r:etc_t:s0 tclass=file permissive=0",
        "type=AVC msg=audit(1.2:3): avc:  denied  { execute } for  pid=9 comm=\"(app)\" name=\"app\" scontext=system_u:system_r:init_t:s0 tcontext=system_u:object_r:container_ro_file_t:s0 tclass=file permissive=0",
        "type=SYSCALL msg=audit(1.2:3) : arch=x86_64 syscall=openat success=no exit=EACCES(Permission denied) exe=/usr/bin/app subj=staff_u:staff_r:app_t:s0 key=(null) type=AVC msg=audit(1.2:3) : avc:  denied  { open } for  pid=9 comm=app path=/srv/app.conf scontext=staff_u:staff_r:app_t:s0 tcontext=system_u:object_r:etc_t:s0 tclass=file permissive=0",
        "type=AVC msg=audit(1.2:3): avc:  granted  { read } for  pid=9 scontext=system_u:system_r:container_t:s0 tcontext=x:y:z:s0",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static AVC: LazyLock<Regex> = LazyLock::new(|| compile(r"avc:\s+denied\s+\{ ([^}]*) \}"));
    // setroubleshoot's sentence for the same.
    static PREVENTS: LazyLock<Regex> = LazyLock::new(|| {
        compile(r"SELinux is preventing \S+ from .* access on the \w+ (\S+?)\.(?:\s|$)")
    });
    let text = context.text();
    // setroubleshoot names services of the node in the same words.
    static OF_THE_NODE: LazyLock<Regex> = LazyLock::new(|| {
        compile(&format!(r"preventing (?:\S*/)?(?:{}) ", node_services::NAMES.join("|")))
    });
    if let Some(prevents) = PREVENTS.captures(text).filter(|_| !OF_THE_NODE.is_match(text)) {
        return Some(
            Finding::new(Operation::Selinux, Category::Selinux)
                .path(Some(&prevents[1]))
                .cause("SELinux denied the access because of the labels; the user does not matter"),
        );
    }
    let access = AVC.captures(text)?.get(1)?.as_str().trim();
    let (source, target) = (label(text, "scontext")?, label(text, "tcontext")?);
    let (process, object) = (Label::parse(source)?, Label::parse(target)?);
    // What a service of the node may not do to the files of a container concerns the node.
    if !process.is_of_container() {
        return None;
    }
    let path = field(text, "path").or_else(|| {
        let name = field(text, "name")?;
        Some(whole(context, &name).unwrap_or(name))
    });
    let allowed = text.contains("permissive=1");
    let is_other_process =
        field(text, "dev").as_deref() == Some("proc") && !object.kind.ends_with("proc_t");
    let mismatch = if is_other_process {
        Mismatch::OtherProcess
    } else {
        Mismatch::between(&process, &object)
    };
    let sentence = mismatch.sentence(&process, &object);
    let class = field(text, "tclass").unwrap_or_else(|| "object".into());
    let finding = Finding::new(Operation::Selinux, Category::Selinux)
        .path(path)
        .harmless(allowed)
        .detail(Detail::Labels(mismatch));
    let finding = if allowed { finding } else { finding.errno(Errno::Eacces) };
    Some(finding.cause(format!("SELinux denied {{ {access} }} on a {class}: {sentence}")))
}

/// The path behind a name, from the PATH record of the same event.
fn whole(context: &LineContext, name: &str) -> Option<String> {
    let event = |text: &str| {
        let at = text.find("msg=audit(")?;
        text[at..].split_whitespace().next().map(str::to_owned)
    };
    let here = event(context.text())?;
    let paths = context.after().take(EVENT).filter(|line| line.text.starts_with("type=PATH "));
    let mut names = paths
        .filter(|line| event(&line.text).as_ref() == Some(&here))
        .filter_map(|line| field(&line.text, "name"));
    names.find(|path| path.rsplit_once('/').is_some_and(|(_, last)| last == name))
}

/// Records that one event has behind its denial, at most: a SYSCALL, a CWD, a PROCTITLE, and a PATH
/// for each argument.
const EVENT: usize = 8;

fn label<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let at = text.find(&format!("{name}="))? + name.len() + 1;
    text[at..].split_whitespace().next()
}

fn field(text: &str, name: &str) -> Option<String> {
    let at = text.find(&format!(" {name}="))? + name.len() + 2;
    let value = text[at..].split_whitespace().next()?.trim_matches('"');
    (!value.is_empty()).then(|| value.to_owned())
}
