//! The sentence that tells why, from what is known and nothing else.

use super::finding::Finding;
use crate::model::obstacle::{Category, Errno, Operation};

/// One sentence without remedies and without a full stop.
pub(super) fn sentence(finding: &Finding) -> String {
    if let Some(cause) = &finding.cause {
        return cause.clone();
    }
    let unnamed = match finding.category {
        _ if finding.path.is_some() => None,
        Category::UnwritablePath | Category::HomeUnwritable => Some(
            "the container's user may not write where the program wants to, and the log does not say where",
        ),
        Category::UnreadableFile => Some(
            "the container's user may not read a file that the program wants, and the log does not say which",
        ),
        Category::ReadOnlyRootfs => Some(
            "the program wants to write on a file system that is mounted read-only, and the log does not say where",
        ),
        _ => None,
    };
    if let Some(sentence) = unnamed {
        return sentence.to_owned();
    }
    let place = finding.path.as_deref().unwrap_or("a file").to_owned();
    let act = act(finding, &place);
    match finding.category {
        // Everybody may write there, where nothing was changed.
        Category::UnwritablePath if matches!(place.as_str(), "/tmp" | "/var/tmp") => {
            format!("the container's user may not {act}: its mode is not the usual 1777, or it is mounted read-only")
        }
        Category::UnwritablePath => {
            format!("the container's user may not {act}: {}", why_unwritable(finding.operation, &place))
        }
        Category::HomeUnwritable => format!("the container's user may not {act}: the home directory is missing, or belongs to another user"),
        Category::ReadOnlyRootfs => format!("the program wants to {act}, on a file system that is mounted read-only"),
        Category::UnreadableFile => format!("the container's user may not {act}: its mode bits, or those of a directory above it, leave this user out"),
        Category::VolumeOwnership => format!("{place} belongs to another user than the container runs as"),
        Category::DeviceAccess => match finding.errno {
            Some(Errno::Eperm) => format!("the container's device cgroup does not let it open {place}"),
            _ => format!("the container's user may not open the device {place}"),
        },
        Category::OwnershipChange => match finding.operation {
            Operation::Chmod => format!("only the owner of {place} or root may change its mode bits"),
            _ => format!("only root with CAP_CHOWN may change the owner of {place}"),
        },
        Category::PrivilegedPort => match finding.port {
            Some(port) => format!("port {port} is below net.ipv4.ip_unprivileged_port_start, so only a process with CAP_NET_BIND_SERVICE may bind it"),
            None => "a port below net.ipv4.ip_unprivileged_port_start may be bound only with CAP_NET_BIND_SERVICE".to_owned(),
        },
        Category::IdentitySwitch => "the program wants to change to another user or group, which only root with CAP_SETUID and CAP_SETGID may do".to_owned(),
        Category::RawSocket => "a raw socket may be opened only with CAP_NET_RAW".to_owned(),
        Category::NotExecutable => match finding.errno {
            Some(Errno::Enoexec) => format!("the kernel cannot run {place}: it is for another architecture, or a script without a #! line"),
            _ => format!("the container's user may not execute {place}: it, or a directory above it, lacks the execute bit for this user"),
        },
        Category::CapabilityMissing => match (finding.operation, finding.capability) {
            (Operation::Exec, _) => format!("{place} carries a file capability that the container may not have: dropping ALL capabilities takes it out of the bounding set, and the kernel then refuses to start the file"),
            (_, Some(capability)) => format!("the call needs CAP_{capability}, which a container that is not root does not have"),
            (_, None) => "the call needs a capability that a container that is not root does not have".to_owned(),
        },
        Category::MissingPasswdEntry => "the container's uid has no entry in the image's /etc/passwd, and the program needs the name or the home directory from there".to_owned(),
        Category::ImageRunsAsRoot => "runAsNonRoot is set, and the container would get uid 0: neither the pod nor the image names another user".to_owned(),
        Category::NonNumericUser => "runAsNonRoot is set, and the image's USER is a name: the kubelet compares numbers only".to_owned(),
        Category::PodSecurity => "an admission policy of the cluster refuses the pod's security context".to_owned(),
        Category::Selinux => "SELinux denied the access because of the labels; the user does not matter".to_owned(),
        Category::Seccomp => "the container's seccomp profile does not allow a system call that the program makes".to_owned(),
        Category::LostFunction => "the program does not do what it does as root".to_owned(),
    }
}

/// What is known of a path that may not be written. What is made, removed or renamed needs write
/// permission on its directory, and need not be there itself (path_resolution(7)).
fn why_unwritable(operation: Operation, path: &str) -> String {
    let directory = match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
        None => "the working directory",
    };
    match operation {
        Operation::Mkdir | Operation::Unlink | Operation::Rename | Operation::Bind => {
            format!("{directory} is not writable for this user, most likely because root owns it")
        }
        Operation::Create | Operation::Open | Operation::Lock => format!(
            "the file or {directory} is not writable for this user, most likely because root owns it"
        ),
        Operation::Other if path.ends_with(".sock") => {
            "the socket is not writable for this user".to_owned()
        }
        _ => "it is not writable for this user, most likely because root owns it".to_owned(),
    }
}

fn act(finding: &Finding, place: &str) -> String {
    match finding.operation {
        Operation::Mkdir => format!("make the directory {place}"),
        Operation::Create => format!("create or write {place}"),
        Operation::Unlink => format!("remove {place}"),
        Operation::Rename => format!("rename {place}"),
        Operation::Bind => format!("make the socket {place}"),
        Operation::Lock => format!("lock {place}"),
        Operation::Chmod => format!("change the mode bits of {place}"),
        Operation::Chown => format!("change the owner of {place}"),
        Operation::Open if finding.category == Category::UnreadableFile => format!("read {place}"),
        Operation::Open | Operation::Device => format!("open {place}"),
        Operation::Other if place.ends_with(".sock") => format!("connect to {place}"),
        Operation::Other if finding.category == Category::UnreadableFile => format!("read {place}"),
        Operation::Other => format!("write {place}"),
        _ => format!("use {place}"),
    }
}
