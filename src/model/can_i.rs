//! May a container's process do this? Paths are for [`filesystem`](crate::model::filesystem), what an
//! execve makes of capabilities for [`credentials`](crate::model::credentials); here they are put
//! together, with ports, into an answer and its reasons.

use std::fmt;

use crate::model::capability::{Capability, FileCapabilities, Set};
use crate::model::credentials::{Credentials, Executable};
use crate::model::filesystem::{Access, AccessVerdict, Decision, Files, Inode, decide};
use crate::model::obstacle::Errno;
use crate::model::port::{FIRST_UNPRIVILEGED, UNPRIVILEGED_PORT_SYSCTL};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessQuestion {
    /// An access to a path.
    Path(Access, String),
    /// To execute the file of a path.
    Exec(String),
    /// To bind a TCP or UDP port.
    Bind(u16),
}

/// The value of [`UNPRIVILEGED_PORT_SYSCTL`], and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortStart {
    pub value: u16,
    /// "by the pod's sysctls".
    pub source: &'static str,
}

/// Who asks, and in which container.
pub struct Requester<'a> {
    /// The process after the execve that started it.
    pub process: Credentials,
    pub files: Files<'a>,
    /// The capabilities of an executable, by its path without links; what stands in the way of
    /// knowing them, else.
    pub file_capabilities: &'a dyn Fn(&str) -> Result<Option<FileCapabilities>, String>,
    pub port_start: PortStart,
}

/// The answer and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessAnswer {
    /// `None`: what is known does not tell; the last step says what is missing.
    pub yes: Option<bool>,
    /// What the kernel refuses with, if it is an errno that we tell apart.
    pub errno: Option<Errno>,
    pub steps: Vec<String>,
}

impl AccessAnswer {
    fn yes(steps: Vec<String>) -> AccessAnswer {
        AccessAnswer { yes: Some(true), errno: None, steps }
    }

    fn no(errno: Errno, steps: Vec<String>) -> AccessAnswer {
        AccessAnswer { yes: Some(false), errno: Some(errno), steps }
    }

    fn unknown(steps: Vec<String>) -> AccessAnswer {
        AccessAnswer { yes: None, errno: None, steps }
    }
}

impl From<&Decision> for AccessAnswer {
    fn from(decision: &Decision) -> AccessAnswer {
        let steps = decision.steps.iter().map(ToString::to_string).collect();
        match decision.verdict {
            AccessVerdict::Allowed => AccessAnswer::yes(steps),
            AccessVerdict::Denied(denial) => {
                AccessAnswer { yes: Some(false), errno: denial.errno(), steps }
            }
            AccessVerdict::Unknown => AccessAnswer::unknown(steps),
        }
    }
}

/// Answers one question.
#[must_use]
pub fn answer(requester: &Requester<'_>, question: &AccessQuestion) -> AccessAnswer {
    match question {
        AccessQuestion::Path(access, path) => {
            AccessAnswer::from(&decide(&requester.process, &requester.files, path, *access))
        }
        AccessQuestion::Exec(path) => exec(requester, path),
        AccessQuestion::Bind(port) => bind(requester, *port),
    }
}

/// execve(2): the mode of the file, then what its capabilities ask for and the bounding set has.
fn exec(requester: &Requester<'_>, path: &str) -> AccessAnswer {
    let decision = decide(&requester.process, &requester.files, path, Access::Execute);
    let mut answer = AccessAnswer::from(&decision);
    let Some((file, inode)) = decision
        .steps
        .last()
        .filter(|_| decision.allowed())
        .and_then(|step| Some((&step.path, step.inode.as_ref()?)))
    else {
        return answer;
    };
    let bounding = requester.process.sets.bounding;
    let nosuid = requester.files.is_nosuid(file);
    let capabilities = match (requester.file_capabilities)(file) {
        Ok(found) => found,
        // Whatever it may ask for, nothing is missing.
        Err(_) if nosuid || Set::ALL.is_subset(bounding) => None,
        Err(why) => {
            answer.steps.push(format!("{file}: its file capabilities are not known: {why}"));
            return AccessAnswer::unknown(answer.steps);
        }
    };
    let mut say = |text: String| answer.steps.push(format!("{file}: {text}"));
    if let Some(found) = &capabilities {
        say(format!("it has the file capabilities {found}"));
        if nosuid {
            say("its mount is nosuid: they do not count".to_owned());
        }
    }
    let executable =
        Executable { uid: inode.uid, gid: inode.gid, mode: inode.mode, capabilities, nosuid };
    let after = match requester.process.execve(&executable, 0) {
        Ok(after) => after,
        Err(refused) => {
            say(format!(
                "execve refuses it: with the effective bit set it must get all that it is permitted, and the container's \
                 bounding set lacks {}, as after capabilities.drop",
                refused.missing
            ));
            return AccessAnswer::no(Errno::Eperm, answer.steps);
        }
    };
    if inode.mode & Inode::SETUID != 0 && inode.uid != requester.process.uid.effective {
        say(match (nosuid, requester.process.no_new_privs) {
            (true, _) => "its setuid bit does nothing: its mount is nosuid".to_owned(),
            (_, true) => {
                "its setuid bit does nothing: no_new_privs is set (allowPrivilegeEscalation: false)"
                    .to_owned()
            }
            _ => format!("it runs as uid {}, by its setuid bit", after.uid.effective),
        });
    }
    if capabilities.is_some() || after.uid.effective != requester.process.uid.effective {
        say(format!("it starts with the capabilities {}", after.sets.effective));
    }
    answer
}

/// `inet_bind` of Linux's `net/ipv4/af_inet.c`: below the first open port it takes
/// NET_BIND_SERVICE.
fn bind(requester: &Requester<'_>, port: u16) -> AccessAnswer {
    const WANTED: Capability = Capability::NET_BIND_SERVICE;
    let PortStart { value, source } = &requester.port_start;
    let sysctl = format!("{UNPRIVILEGED_PORT_SYSCTL} is {value} {source}");
    if port == 0 {
        return AccessAnswer::yes(vec![format!(
            "port 0 is any free port, none of them below {FIRST_UNPRIVILEGED}"
        )]);
    }
    if port >= *value {
        return AccessAnswer::yes(vec![format!("{sysctl}: anybody may bind port {port}")]);
    }
    let mut steps = vec![format!("{sysctl}: port {port} takes {WANTED}")];
    let Credentials { sets, uid, .. } = &requester.process;
    if sets.effective.contains(WANTED) {
        steps.push(format!("{WANTED} is in effect for uid {}", uid.effective));
        return AccessAnswer::yes(steps);
    }
    if sets.permitted.contains(WANTED) {
        steps.push(format!(
            "{WANTED} is permitted and not in effect: a program that raises it itself (capset(2)) may, any other may not"
        ));
    } else if sets.bounding.contains(WANTED) {
        steps.push(format!(
            "the container is granted {WANTED}, but its program does not have it: the execve of a file without that file \
             capability takes it from uid {}, so capabilities.add changes nothing; ambient capabilities (KEP-2763) are \
             not in Kubernetes",
            uid.effective
        ));
    } else {
        steps.push(format!(
            "the container is not granted {WANTED}: no file of it can give it to uid {}",
            uid.effective
        ));
    }
    AccessAnswer::no(Errno::Eacces, steps)
}

/// `uid 1000, gid 1000, groups 4 27, capabilities none`.
pub struct Who<'a>(pub &'a Credentials);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Credentials { uid, gid, groups, sets, .. } = self.0;
        write!(f, "uid {}, gid {}, groups ", uid.effective, gid.effective)?;
        if groups.is_empty() {
            f.write_str("none")?;
        }
        for (i, group) in groups.iter().enumerate() {
            write!(f, "{}{group}", if i == 0 { "" } else { " " })?;
        }
        write!(f, ", capabilities {}", sets.effective)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::filesystem::Lookup;

    const NET_RAW: FileCapabilities = FileCapabilities {
        permitted: Set::of(&[Capability::NET_RAW]),
        inheritable: Set::EMPTY,
        effective: true,
        root: 0,
    };

    fn files(path: &str) -> Lookup {
        match path {
            "/" | "/bin" => Lookup::Found(Inode::directory(0o755, 0, 0)),
            "/bin/ping" | "/bin/sh" | "/bin/odd" => Lookup::Found(Inode::file(0o755, 0, 0)),
            "/bin/su" => Lookup::Found(Inode::file(0o4755, 0, 0)),
            "/bin/none" => Lookup::Found(Inode::file(0o644, 0, 0)),
            _ => Lookup::Missing,
        }
    }

    fn ask(uid: u32, granted: Set, no_new_privs: bool, question: &AccessQuestion) -> AccessAnswer {
        let process = Credentials::of_container(uid, uid, vec![], granted, no_new_privs);
        let capabilities = |path: &str| match path {
            "/bin/ping" => Ok(Some(NET_RAW)),
            "/bin/odd" => Err("nobody told".to_owned()),
            _ => Ok(None),
        };
        let requester = Requester {
            process: process.execve(&Executable::PLAIN, 0).expect("a plain file"),
            files: Files::new(&files, false, Vec::new()),
            file_capabilities: &capabilities,
            port_start: PortStart { value: FIRST_UNPRIVILEGED, source: "by default" },
        };
        answer(&requester, question)
    }

    fn exec_of(path: &str) -> AccessQuestion {
        AccessQuestion::Exec(path.to_owned())
    }

    #[test]
    fn a_file_capability_out_of_bounds_cannot_be_executed() {
        let refused = ask(1000, Set::EMPTY, true, &exec_of("/bin/ping"));
        assert_eq!((refused.yes, refused.errno), (Some(false), Some(Errno::Eperm)));
        assert!(
            refused.steps.last().is_some_and(|step| step.contains("lacks NET_RAW")),
            "{:?}",
            refused.steps
        );
        assert_eq!(
            ask(0, Set::EMPTY, true, &exec_of("/bin/ping")).errno,
            Some(Errno::Eperm),
            "for root as well"
        );
        let granted = ask(1000, Set::CONTAINERD, false, &exec_of("/bin/ping"));
        assert_eq!(granted.yes, Some(true));
        assert!(
            granted.steps.last().is_some_and(|step| step.ends_with("capabilities NET_RAW")),
            "{:?}",
            granted.steps
        );
        let escalation = ask(1000, Set::CONTAINERD, true, &exec_of("/bin/ping"));
        assert_eq!(escalation.yes, Some(true), "no_new_privs alone refuses nothing");
        assert!(
            escalation.steps.last().is_some_and(|step| step.ends_with("capabilities none")),
            "{escalation:?}"
        );
    }

    #[test]
    fn modes_setuid_and_what_nobody_knows() {
        assert_eq!(ask(1000, Set::EMPTY, true, &exec_of("/bin/sh")).yes, Some(true));
        assert_eq!(ask(1000, Set::EMPTY, true, &exec_of("/bin/none")).errno, Some(Errno::Eacces));
        assert_eq!(
            ask(0, Set::CONTAINERD, false, &exec_of("/bin/none")).errno,
            Some(Errno::Eacces)
        );
        assert_eq!(ask(1000, Set::EMPTY, true, &exec_of("/bin/gone")).errno, Some(Errno::Enoent));
        let unknown = ask(1000, Set::CONTAINERD, false, &exec_of("/bin/odd"));
        assert!(
            unknown.yes.is_none()
                && unknown.steps.last().is_some_and(|step| step.ends_with("nobody told"))
        );
        assert_eq!(ask(1000, Set::ALL, false, &exec_of("/bin/odd")).yes, Some(true));
        let su = |no_new_privs| {
            ask(1000, Set::CONTAINERD, no_new_privs, &exec_of("/bin/su")).steps.join("\n")
        };
        assert!(su(true).contains("no_new_privs"));
        assert!(su(false).contains("uid 0"));
    }

    #[test]
    fn low_ports_take_a_capability_that_counts() {
        let port = |uid, granted, port| ask(uid, granted, false, &AccessQuestion::Bind(port));
        let bind_service = Set::of(&[Capability::NET_BIND_SERVICE]);
        assert_eq!(port(1000, Set::EMPTY, 8080).yes, Some(true));
        assert_eq!(port(1000, Set::EMPTY, 0).yes, Some(true));
        assert_eq!(port(0, Set::CONTAINERD, 80).yes, Some(true));
        assert_eq!(port(0, Set::EMPTY, 80).errno, Some(Errno::Eacces));
        let added = port(1000, bind_service, 80);
        assert_eq!(added.yes, Some(false));
        assert!(
            added.steps.last().is_some_and(|step| step.contains("changes nothing")),
            "{added:?}"
        );
        assert!(
            port(1000, Set::EMPTY, 80)
                .steps
                .last()
                .is_some_and(|step| step.contains("is not granted"))
        );
    }

    #[test]
    fn who_asks_in_one_line() {
        let process = Credentials::of_container(7, 8, vec![4, 27], Set::EMPTY, true);
        assert_eq!(Who(&process).to_string(), "uid 7, gid 8, groups 4 27, capabilities none");
    }
}
