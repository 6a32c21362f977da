//! Messages that name the capability which the program looked for and does not have.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::reader::{context::LineContext, errno::compile, severity::Severity};
use crate::model::capability::Capability;
use crate::model::obstacle::{Category, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "capability",
    title: "the program misses a capability, and says which",
    explain: "Some programs look at their capabilities, or know which one a refused call needs. A process that is not root has \
              none, whatever `capabilities.add` lists: that only widens what root or a file capability may gain.",
    source: "capabilities(7); libcap cap_get_proc(3)",
    signals: &["cap_"],
    examples: &[
        Example {
            log: "E! probe failed: permission changes required, enable CAP_NET_RAW for the binary",
            expected: "socket-raw - raw-socket",
        },
        Example {
            log: "level=fatal msg=\"agent needs the CAP_NET_ADMIN capability\"",
            expected: "other - capability-missing",
        },
        Example {
            log: "missing capability CAP_NET_BIND_SERVICE",
            expected: "bind - privileged-port",
        },
        Example {
            log: "[warn] CAP_SYS_PTRACE is required to read /proc",
            expected: "other - capability-missing",
        },
    ],
    near_misses: &[
        "requested capabilities: CAP_NET_RAW CAP_NET_ADMIN, all granted",
        "time=2026-11-26T10:00:00Z level=info msg=\"probe\" caps=\"CAP_NET_RAW, CAP_SYS_ADMIN\" required=false",
        "Dropping CAP_SYS_ADMIN, which is not needed any more",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WANTED: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?ix) \b(?:needs?|requires?|required|enable|missing|lacks?|lacking|without|grant|must\shave|(?:does|do)(?:\snot|n't)\shave|no|add)\b [^.;]{0,40}? \bCAP_(?P<before>[A-Z_]+)
            | \bCAP_(?P<behind>[A-Z_]+)\b [^.;]{0,30}? \b(?:(?:is|are)\s(?:missing|required|needed|not\s(?:set|available|granted|permitted|effective|enabled|present))|required|missing|not\s(?:set|granted|permitted|available))\b",
        )
    });
    static UNWANTED: LazyLock<Regex> = LazyLock::new(|| {
        compile(r"(?i)\b(?:no longer|not (?:needed|required)|drop(?:ping|ped)?)\b")
    });
    let text = context.text();
    // What a program only tells of itself is no refusal.
    if UNWANTED.is_match(text) || context.line().severity == Severity::Info {
        return None;
    }
    let captures = WANTED.captures(text)?;
    let capability =
        Capability::named(captures.name("before").or(captures.name("behind"))?.as_str())?;
    let (operation, category) = match capability {
        Capability::NET_RAW => (Operation::SocketRaw, Category::RawSocket),
        Capability::NET_BIND_SERVICE => (Operation::Bind, Category::PrivilegedPort),
        Capability::SETUID => (Operation::Setuid, Category::IdentitySwitch),
        Capability::SETGID => (Operation::Setgid, Category::IdentitySwitch),
        Capability::CHOWN => (Operation::Chown, Category::OwnershipChange),
        Capability::FOWNER => (Operation::Chmod, Category::OwnershipChange),
        Capability::MKNOD => (Operation::Mknod, Category::CapabilityMissing),
        _ => (Operation::Other, Category::CapabilityMissing),
    };
    let errno = context.refusal().map(|refusal| refusal.errno);
    // A line that has a verb and an errno as well is read by those.
    let finding = Finding::new(operation, category)
        .errno(errno)
        .capability(capability)
        .certainty(Certainty::Words);
    Some(finding.harmless(context.is_warning()))
}
