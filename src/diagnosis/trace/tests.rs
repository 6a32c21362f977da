//! Traces, and what they tell.

use super::*;
use crate::evidence::strace::Strace;
use crate::model::inside::Listener;
use crate::model::obstacle::Obstacle;
use crate::model::trace::{PathChange, Then};

fn traced(text: &str) -> Traced {
    let (mut strace, mut trace) = (Strace::default(), Trace::new(Context::default()));
    strace.feed(text.as_bytes(), &mut |event| trace.take(event));
    assert_eq!(strace.finish(&mut |event| trace.take(event)).unknown, 0, "{text}");
    trace.finish()
}

#[test]
fn a_child_that_ends_is_not_the_program() {
    let end = |text: &str| traced(text).end;
    let child = "9 close(3) = 0\n9 +++ exited with 0 +++\n7 close(4) = 0\n";
    assert_eq!(end(child), None, "it begins in the middle");
    let alone = "9 close(3) = 0\n9 +++ exited with 3 +++\n";
    assert_eq!(end(alone).as_deref(), Some("exit code 3"));
    let whole = format!("9 execve(\"/bin/x\", [\"x\"], 0x1 /* 2 vars */) = 0\n{child}");
    assert_eq!(end(&whole).as_deref(), Some("exit code 0"));
}

/// `OPERATION ERRNO PATH|PORT CATEGORY`, with a `!` before what is fatal.
fn refusals(text: &str) -> Vec<String> {
    let traced = traced(text);
    let said = traced.refusals.iter().map(|refusal| {
        let Obstacle { operation, errno, path, port, category, fatal, .. } = &refusal.obstacle;
        let errno = errno.map_or("-", Errno::as_str);
        let place = path.clone().or(port.map(|port| port.to_string())).unwrap_or_default();
        format!("{}{operation} {errno} {place} {category}", if *fatal { "!" } else { "" })
    });
    said.collect()
}

#[test]
fn refusals_are_named_as_explain_names_them() {
    for (call, says) in [
        ("mkdir(\"/srv/x\", 0777) = -1 EACCES (x)", "mkdir EACCES /srv/x unwritable-path"),
        (
            "openat(AT_FDCWD, \"/srv/x\", O_WRONLY|O_CREAT, 0644) = -1 EACCES (x)",
            "create EACCES /srv/x unwritable-path",
        ),
        (
            "openat(AT_FDCWD, \"/srv/x\", O_RDWR) = -1 EROFS (x)",
            "open EROFS /srv/x read-only-rootfs",
        ),
        (
            "openat(AT_FDCWD, \"/srv/key\", O_RDONLY) = -1 EACCES (x)",
            "open EACCES /srv/key unreadable-file",
        ),
        ("open(\"/dev/kvm\", O_RDWR) = -1 EACCES (x)", "device EACCES /dev/kvm device-access"),
        (
            "mkdir(\"/root/.cache\", 0777) = -1 EACCES (x)",
            "mkdir EACCES /root/.cache home-unwritable",
        ),
        (
            "unlinkat(AT_FDCWD, \"/srv/x\", 0) = -1 EACCES (x)",
            "unlink EACCES /srv/x unwritable-path",
        ),
        ("rename(\"/srv/a\", \"/srv/b\") = -1 EACCES (x)", "rename EACCES /srv/b unwritable-path"),
        (
            "fchmodat(AT_FDCWD, \"/srv/x\", 0600) = -1 EPERM (x)",
            "chmod EPERM /srv/x ownership-change",
        ),
        ("fchown(3</srv/x>, 7, 7) = -1 EPERM (x)", "chown EPERM /srv/x ownership-change"),
        ("setgroups(1, [7]) = -1 EPERM (x)", "setgroups EPERM  identity-switch"),
        ("setresuid(7, 7, 7) = -1 EPERM (x)", "setuid EPERM  identity-switch"),
        (
            "execve(\"/srv/run\", [\"run\"], 0x1) = -1 EACCES (x)",
            "exec EACCES /srv/run not-executable",
        ),
        (
            "execve(\"/srv/run\", [\"run\"], 0x1) = -1 EPERM (x)",
            "exec EPERM /srv/run capability-missing",
        ),
        (
            "mknod(\"/srv/null\", S_IFCHR|0666, makedev(0x1, 0x3)) = -1 EPERM (x)",
            "mknod EPERM /srv/null capability-missing",
        ),
        (
            "mknod(\"/srv/pipe\", S_IFIFO|0666) = -1 EACCES (x)",
            "create EACCES /srv/pipe unwritable-path",
        ),
        ("chroot(\"/srv\") = -1 EPERM (x)", "other EPERM /srv capability-missing"),
        (
            "mount(\"a\", \"/mnt\", \"x\", 0, NULL) = -1 EPERM (x)",
            "mount EPERM /mnt capability-missing",
        ),
        ("socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) = -1 EPERM (x)", "socket-raw EPERM  raw-socket"),
        ("mlockall(MCL_CURRENT) = -1 ENOMEM (x)", "other ENOMEM  capability-missing"),
        (
            "connect(3, {sa_family=AF_UNIX, sun_path=\"/run/d.sock\"}, 9) = -1 EACCES (x)",
            "other EACCES /run/d.sock unwritable-path",
        ),
        (
            "bind(3, {sa_family=AF_UNIX, sun_path=\"/run/a.sock\"}, 9) = -1 EACCES (x)",
            "bind EACCES /run/a.sock unwritable-path",
        ),
    ] {
        assert_eq!(refusals(call), [says], "{call}");
    }
    // What is merely not there is no refusal, nor what another address family lacks.
    assert_eq!(refusals("open(\"/srv/x\", O_RDONLY) = -1 ENOENT (x)\n"), [""; 0]);
}

#[test]
fn what_a_program_dies_of_is_fatal() {
    let text = "7 openat(AT_FDCWD, \"/srv/a\", O_WRONLY|O_CREAT, 0644) = -1 EACCES (Permission denied)\n\
                7 write(2, \"warning: a\", 10) = 10\n\
                7 mkdir(\"/srv/b\", 0777) = -1 EACCES (Permission denied)\n\
                7 write(2, \"b: Permission denied\", 20) = 20\n\
                7 exit_group(1) = ?\n\
                7 +++ exited with 1 +++\n";
    let all = ["!mkdir EACCES /srv/b unwritable-path", "create EACCES /srv/a unwritable-path"];
    assert_eq!(refusals(text), all);
    assert_eq!(
        traced(text).refusals[0].then,
        Then::Ended { how: "exit code 1".to_owned(), calls: 2, survived: false }
    );
    // Ended well, by somebody else, or not at all: then it was none of them.
    for end in ["7 +++ exited with 0 +++\n", "7 +++ killed by SIGTERM +++\n", ""] {
        let text = text.replace("7 +++ exited with 1 +++\n", end);
        assert!(refusals(&text).iter().all(|one| !one.starts_with('!')), "{end}");
    }
    assert!(
        refusals(&text.replace("exited with 1", "killed by SIGSEGV (core dumped)"))[0]
            .starts_with('!')
    );
}

#[test]
fn a_child_that_dies_stops_only_who_dies_of_it() {
    let child = "7 vfork( <unfinished ...>\n\
                 8 execve(\"/bin/chown\", [\"chown\"], 0x1) = 0\n\
                 7 <... vfork resumed>) = 8\n\
                 8 fchownat(AT_FDCWD, \"/srv/x\", 33, -1, 0) = -1 EPERM (Operation not permitted)\n\
                 8 +++ exited with 1 +++\n";
    assert_eq!(refusals(child), ["chown EPERM /srv/x ownership-change"]);
    let one = traced(child).refusals.remove(0);
    assert_eq!(one.obstacle.program.as_deref(), Some("chown"));
    assert!(matches!(one.then, Then::Ended { survived: true, .. }));
    // With `set -e`, the script ends too.
    assert_eq!(
        refusals(&format!("{child}7 +++ exited with 1 +++\n")),
        ["!chown EPERM /srv/x ownership-change"]
    );
    // A script that went on to its program died of what stopped that.
    let on = format!(
        "{child}7 execve(\"/bin/srv\", [\"srv\"], 0x1) = 0\n\
         7 bind(3, {{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"0.0.0.0\")}}, 16) = -1 EACCES (x)\n\
         7 +++ exited with 1 +++\n"
    );
    assert_eq!(
        refusals(&on),
        ["!bind EACCES 80 privileged-port", "chown EPERM /srv/x ownership-change"]
    );
}

#[test]
fn a_port_that_is_never_bound_stops_a_server_that_runs_on() {
    let bind = |port: u16, result: &str| {
        format!(
            "bind(3, {{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr(\"0.0.0.0\")}}, 16) = {result}\n"
        )
    };
    let refused = bind(80, "-1 EACCES (Permission denied)");
    assert_eq!(refusals(&refused), ["!bind EACCES 80 privileged-port"]);
    assert_eq!(refusals(&(refused + &bind(80, "0"))), ["bind EACCES 80 privileged-port"]);
}

#[test]
fn what_is_done_elsewhere_is_no_obstacle_any_more() {
    let text = "7 mkdir(\"/root/.cache\", 0777) = -1 EACCES (x)\n\
                7 mkdir(\"/tmp/.cache\", 0777) = 0\n\
                7 +++ exited with 1 +++\n";
    let one = traced(text).refusals.remove(0);
    assert_eq!((one.obstacle.fatal, one.then), (false, Then::Elsewhere("/tmp/.cache".to_owned())));
}

#[test]
fn paths_are_followed_through_directories_and_descriptors() {
    let text = "7 chdir(\"/srv/app\") = 0\n\
                7 clone(child_stack=NULL, flags=SIGCHLD) = 8\n\
                8 mkdir(\"data\", 0777) = 0\n\
                8 openat(AT_FDCWD, \"data\", O_RDONLY|O_DIRECTORY) = 3\n\
                8 dup(3) = 4\n\
                8 close(3) = 0\n\
                8 openat(4, \"a\", O_WRONLY|O_CREAT, 0644) = 5\n\
                8 openat(3, \"b\", O_WRONLY|O_CREAT, 0644) = 6\n\
                8 fchmod(5, 0600) = 0\n\
                8 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD}, 88) = 9\n\
                9 mkdirat(4, \"t\", 0777) = 0\n\
                9 renameat2(4, \"a\", AT_FDCWD, \"../c\", 0) = 0\n";
    let touched = traced(text).touched;
    let paths: Vec<(&str, bool)> =
        touched.iter().map(|(path, one)| (path.as_str(), one.gone)).collect();
    assert_eq!(
        paths,
        [
            ("/srv/app/data", false),
            ("/srv/app/data/a", true),
            ("/srv/app/data/t", false),
            ("/srv/c", false),
        ]
    );
    assert!(touched["/srv/app/data/a"].changes.contains(&PathChange::Mode));
}

#[test]
fn what_root_does_is_told() {
    let traced = traced(
        "1 execve(\"/usr/sbin/srv\", [\"srv\"], 0x1 /* 3 vars */) = 0\n\
         1 geteuid() = 0\n\
         1 newfstatat(AT_FDCWD, \"/var/lib/srv\", {st_mode=S_IFDIR|0755, st_size=4096, ...}, 0) = 0\n\
         1 openat(AT_FDCWD, \"/etc/srv/key\", O_RDONLY) = 3\n\
         1 openat(AT_FDCWD, \"/dev/null\", O_RDWR) = 3\n\
         1 chown(\"/var/lib/srv\", 0, 0) = 0\n\
         1 chown(\"/var/lib/srv\", 33, 33) = 0\n\
         1 socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 4\n\
         1 bind(4, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = 0\n\
         1 setgroups(2, [33, 4]) = 0\n\
         1 setresgid(33, 33, 33) = 0\n\
         1 setresuid(33, 33, 33) = 0\n\
         1 openat(AT_FDCWD</>, \"/var/log/srv/error.log\", O_WRONLY|O_CREAT|O_APPEND, 0666) = 5<pipe:[77]>\n\
         1 getpid() = 1\n",
    );
    assert_eq!(traced.root, Some(true));
    let became: Vec<_> =
        traced.became.iter().map(|one| (one.uid, one.gid, one.groups.clone())).collect();
    assert_eq!(became, [(33, Some(33), vec![33, 4])]);
    let needed: Vec<_> = traced.needed.iter().map(|one| (one.capability, one.times)).collect();
    assert_eq!(needed, [("CHOWN", 1), ("NET_BIND_SERVICE", 1), ("SETGID", 2), ("SETUID", 1)]);
    let address = std::net::IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]);
    assert_eq!(traced.listeners, [(Listener::Udp { address, port: 53, process: None }, 9)]);
    // A log that is a link to a pipe is not written; the link is followed, through the
    // directory that holds it.
    assert_eq!(traced.read.keys().collect::<Vec<_>>(), ["/etc/srv/key", "/var/log/srv/error.log"]);
    assert!(!traced.touched.contains_key("/var/log/srv/error.log"));
    assert_eq!(traced.touched["/var/lib/srv"].owner, Some(33));
    assert_eq!(
        (traced.seen[0].path.as_str(), traced.seen[0].inode.to_string()),
        ("/var/lib/srv", "drwxr-xr-x 0:0".to_owned())
    );
}
