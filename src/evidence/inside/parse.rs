//! The answers of the scripts. A container is no more to be trusted than its image: what does not
//! parse is left out.

use super::procfs::{credentials, descriptor, is_file, listener, mount, process};
use crate::model::accounts::Accounts;
use crate::model::capability::FileCapabilities;
use crate::model::facts::CommandOption;
use crate::model::filesystem::{Inode, PathStat, PathStats};
use crate::model::inside::{AccessContext, Inside, OpenFile, Process, SearchHits};

/// Entries of any one list: a container with more files changed than this tells nothing more.
const MAX_ENTRIES: usize = 20_000;

/// Reads the answer of `gather.sh`.
#[must_use]
pub fn inside(answer: &str) -> Inside {
    let mut found = Inside::default();
    // Which process holds a socket, by the socket's inode.
    let mut sockets: Vec<(u64, u32)> = Vec::new();
    let mut tables: Vec<(&str, &str)> = Vec::new();
    let (mut passwd, mut group) = ("", "");
    for (name, detail, body) in sections(answer) {
        let pid = detail.parse().unwrap_or_default();
        match name {
            "path" => {
                found.search_path = Some(body.trim().to_owned()).filter(|path| !path.is_empty())
            }
            "directory" => {
                found.directory = Some(body.trim().to_owned()).filter(|dir| dir.starts_with('/'))
            }
            "passwd" => passwd = body,
            "group" => group = body,
            "mountinfo" => {
                found.mounts = body.lines().filter_map(mount).take(MAX_ENTRIES).collect()
            }
            "process" if found.processes.len() < MAX_ENTRIES => {
                found.processes.push(process(pid, body))
            }
            "cmdline" => {
                let words = body.trim_end_matches(['\n', '\0']).split('\0');
                let arguments = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
                of(&mut found.processes, pid, |process| process.arguments = arguments);
            }
            "exe" => {
                let is_set = is_set_user_id_root(body);
                of(&mut found.processes, pid, |process| process.is_set_user_id = is_set);
            }
            "label" => {
                let label = body.trim_end_matches(['\n', '\0']).trim();
                let known = (!label.is_empty()).then(|| label.to_owned());
                of(&mut found.processes, pid, |process| process.label = known);
            }
            "fd" => {
                for (writable, target) in body.lines().filter_map(descriptor) {
                    if let Some(inode) = target
                        .strip_prefix("socket:[")
                        .and_then(|rest| rest.trim_end_matches(']').parse().ok())
                    {
                        sockets.push((inode, pid));
                    } else if writable
                        && is_file(target)
                        && found.open_for_writing.len() < MAX_ENTRIES
                    {
                        found
                            .open_for_writing
                            .push(OpenFile { process: pid, path: target.to_owned() });
                    }
                }
            }
            "tcp" | "tcp6" | "udp" | "udp6" | "unix" => tables.push((name, body)),
            "changed" => found.changed = body.lines().filter_map(stat).take(MAX_ENTRIES).collect(),
            "given" => found.given = body.lines().filter_map(stat).take(MAX_ENTRIES).collect(),
            "empty" => {
                let paths = body.lines().filter(|path| path.starts_with('/'));
                found.empty = paths.take(MAX_ENTRIES).map(str::to_owned).collect();
            }
            _ => {}
        }
    }
    found.accounts = Accounts::parse(passwd.as_bytes(), group.as_bytes());
    let process_of = |inode| sockets.iter().find(|(known, _)| *known == inode).map(|(_, pid)| *pid);
    for (table, body) in tables {
        let rows = body.lines().skip(1);
        found
            .listeners
            .extend(rows.filter_map(|row| listener(table, row, &process_of)).take(MAX_ENTRIES));
    }
    found
}

/// Whether a mode in hexadecimal and an owner are those of a file that makes who executes it root.
fn is_set_user_id_root(stat: &str) -> bool {
    let mut words = stat.split_ascii_whitespace();
    let mode = words.next().and_then(|mode| u32::from_str_radix(mode, 16).ok());
    mode.is_some_and(|mode| mode & u32::from(Inode::SETUID) != 0) && words.next() == Some("0")
}

/// Reads the answer of `access_context.sh`.
#[must_use]
pub fn access_context(answer: &str) -> AccessContext {
    let mut context = AccessContext::default();
    let (mut passwd, mut group) = ("", "");
    for (name, detail, body) in sections(answer) {
        match name {
            "self" => context.own = credentials(body),
            "first" => context.first = credentials(body),
            "mountinfo" => {
                context.mounts = body.lines().filter_map(mount).take(MAX_ENTRIES).collect()
            }
            "passwd" => passwd = body,
            "group" => group = body,
            "port" => context.unprivileged_port_start = body.trim().parse().ok(),
            "attributes" => {
                if let Some(capabilities) = archived_capabilities(body) {
                    context.file_capabilities.insert(detail.to_owned(), capabilities);
                }
            }
            _ => {}
        }
    }
    context.accounts = Accounts::parse(passwd.as_bytes(), group.as_bytes());
    context
}

/// The `security.capability` attribute of the one file of an archive, whose head is here in
/// hexadecimal, as PAX records it: `LENGTH SCHILY.xattr.NAME=VALUE\n`, the length that of the whole
/// record in decimal. `None`: this is no archive, or the attribute is damaged.
fn archived_capabilities(hex: &str) -> Option<Option<FileCapabilities>> {
    const BLOCK: usize = 512;
    const SIZE: std::ops::Range<usize> = 124..135;
    const TYPE: usize = 156;
    const MAGIC: std::ops::Range<usize> = 257..262;
    const KEY: &[u8] = b" SCHILY.xattr.security.capability=";
    let bytes: Vec<u8> = hex
        .split_ascii_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect::<Option<_>>()?;
    if bytes.get(MAGIC)? != b"ustar" {
        return None;
    }
    if bytes[TYPE] != b'x' {
        return Some(None);
    }
    let size = usize::from_str_radix(str::from_utf8(bytes.get(SIZE)?).ok()?, 8).ok()?;
    let records = bytes.get(BLOCK..BLOCK.checked_add(size)?)?;
    let Some(at) = records.windows(KEY.len()).position(|window| window == KEY) else {
        return Some(None);
    };
    let digits = records[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let length: usize = str::from_utf8(&records[at - digits..at]).ok()?.parse().ok()?;
    let value = records.get(at + KEY.len()..(at - digits).checked_add(length)?.checked_sub(1)?)?;
    FileCapabilities::decode(value).map(Some)
}

/// Reads the answer of `path_stats.sh`; `None` where the container has no way to answer.
#[must_use]
pub fn path_stats(answer: &str) -> Option<PathStats> {
    let (_, _, body) = sections(answer).find(|(name, ..)| *name == "stats")?;
    let mut stats: Vec<PathStat> = Vec::new();
    for stat in body.lines().filter_map(stat).take(MAX_ENTRIES) {
        if !stats.contains(&stat) {
            stats.push(stat);
        }
    }
    Some(PathStats { stats })
}

/// Reads the answer of `private.sh`: the files, and the paths of those that are named.
#[must_use]
pub fn private(answer: &str) -> (Vec<PathStat>, Vec<String>) {
    let (mut files, mut named) = (Vec::new(), Vec::new());
    for (name, _, body) in sections(answer) {
        match name {
            "private" => files.extend(body.lines().filter_map(stat).take(MAX_ENTRIES)),
            "named" => {
                let paths = body.lines().filter(|line| line.starts_with('/')).take(MAX_ENTRIES);
                named.extend(paths.map(str::to_owned));
            }
            _ => {}
        }
    }
    (files, named)
}

/// Reads the answer of `find.sh`.
#[must_use]
pub fn search_hits(answer: &str) -> SearchHits {
    let mut hits = SearchHits::default();
    for (name, _, body) in sections(answer) {
        match name {
            "directives" => {
                let lines = body.lines().filter_map(|line| line.split_once(':')).take(MAX_ENTRIES);
                hits.directives =
                    lines.map(|(file, line)| (file.to_owned(), line.to_owned())).collect();
            }
            "databases" => {
                hits.databases = body
                    .lines()
                    .filter(|line| line.starts_with('/'))
                    .take(MAX_ENTRIES)
                    .map(str::to_owned)
                    .collect()
            }
            _ => {}
        }
    }
    hits
}

/// Reads the answer of `calls.sh`: file and line of each call.
#[must_use]
pub fn calls(answer: &str) -> Vec<(String, String)> {
    let scripts = sections(answer).filter(|(name, ..)| *name == "calls");
    let lines = scripts.flat_map(|(_, file, body)| {
        body.lines().map(move |line| (file.to_owned(), line.to_owned()))
    });
    lines.take(MAX_ENTRIES).collect()
}

/// Reads the answer of `refused.sh` or `unreadable.sh`, the paths that the container's user may not
/// write or read, or of
/// `paths.sh`, those that the program names.
#[must_use]
pub fn paths(answer: &str) -> Vec<String> {
    let Some((_, _, body)) =
        sections(answer).find(|(name, ..)| matches!(*name, "refused" | "unreadable" | "paths"))
    else {
        return Vec::new();
    };
    body.lines().filter(|line| line.starts_with('/')).take(MAX_ENTRIES).map(str::to_owned).collect()
}

/// Reads the answer of `usage.sh`: path and bytes of each.
#[must_use]
pub fn usage(answer: &str) -> Vec<(String, u64)> {
    let Some((_, _, body)) = sections(answer).find(|(name, ..)| *name == "usage") else {
        return Vec::new();
    };
    let row = |line: &str| {
        let (kib, path) = line.split_once('\t')?;
        Some((path.to_owned(), kib.parse::<u64>().ok()?.saturating_mul(1024)))
    };
    body.lines().filter_map(row).take(MAX_ENTRIES).collect()
}

/// Reads the answer of `logs.sh`: path and text of each file.
#[must_use]
pub fn logs(answer: &str) -> Vec<(String, String)> {
    let files = sections(answer).filter(|(name, ..)| *name == "log").take(MAX_ENTRIES);
    files
        .map(|(_, path, body)| (path.to_owned(), body.to_owned()))
        .filter(|(_, text)| !text.trim().is_empty())
        .collect()
}

/// Reads the log of `started.sh`: the words of the first program that started; empty where there
/// was none.
#[must_use]
pub fn started(log: &str) -> Vec<String> {
    let words = |body: &str| -> Vec<String> {
        let body = body.strip_suffix('\n').unwrap_or(body);
        body.strip_suffix('\0')
            .map(|words| words.split('\0').map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let started =
        sections(log).filter(|(name, ..)| *name == "started").map(|(_, _, body)| words(body));
    started
        .filter(|words| words.first().is_some_and(|word| !word.is_empty()))
        .take(1)
        .flatten()
        .collect()
}

/// Reads the answer of `help.sh`: the options of a program, one a line as getopt's, argparse's and
/// their like print them.
#[must_use]
pub fn options(answer: &str) -> Vec<CommandOption> {
    let Some((_, _, body)) = sections(answer).find(|(name, ..)| *name == "help") else {
        return Vec::new();
    };
    body.lines().filter_map(option).take(MAX_ENTRIES).collect()
}

/// `  -u, --user USER   Specify the user`: the flags end where two spaces, a tab or a dash of its
/// own do.
fn option(line: &str) -> Option<CommandOption> {
    let line = line.trim();
    let ends = ["  ", "\t", " -- ", " - ", ": "]
        .iter()
        .filter_map(|end| Some((line.find(end)?, end.len())));
    let (at, end) = ends.min()?;
    let (flags, text) = (&line[..at], line[at + end..].trim());
    let flag = flags
        .split([',', ' ', '=', '/', '[', '|'])
        .next()
        .filter(|flag| flag.len() > 1 && flag.starts_with('-'))?;
    let is_flag = |word: &str| word.is_empty() || word.starts_with('-');
    Some(CommandOption {
        flag: flag.to_owned(),
        takes_value: flags.contains('=') || !flags.split([',', ' ', '/', '|']).all(is_flag),
        text: text.to_owned(),
    })
}

/// The parts of an answer: name, detail, body.
fn sections(answer: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    // What comes before the first of them is noise.
    let noise = usize::from(!answer.starts_with(">>> "));
    let answer = answer.strip_prefix(">>> ").unwrap_or(answer);
    answer.split("\n>>> ").skip(noise).map(|part| {
        let (head, body) = part.split_once('\n').unwrap_or((part, ""));
        let (name, detail) = head.split_once(' ').unwrap_or((head, ""));
        (name, detail, body)
    })
}

fn of(processes: &mut [Process], pid: u32, change: impl FnOnce(&mut Process)) {
    if let Some(process) = processes.iter_mut().find(|process| process.pid == pid) {
        change(process);
    }
}

/// `81a4 0 0 2 '/run/nginx.pid'`, or for a link `a1ff 0 0 4 '/var/run' -> '/run'`: mode, uid, gid,
/// bytes and names.
fn stat(line: &str) -> Option<PathStat> {
    let mut fields = line.splitn(5, ' ');
    let st_mode = u32::from_str_radix(fields.next()?, 16).ok()?;
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let names = fields.nth(1)?;
    let (path, target) = match names.split_once("' -> '") {
        Some((path, target)) => (path, Some(target)),
        None => (names, None),
    };
    // GNU stat quotes as a shell does. A name that takes more than plain quotes does not occur
    // where programs are set up.
    let plain = |text: &str| text.trim_matches(['\'', '"']).to_owned();
    Some(PathStat::new(plain(path), Inode::of_stat(st_mode, uid, gid, target.map(plain))))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::model::inside::Listener;

    const ANSWER: &str = ">>> directory\n/srv\n>>> path\n/usr/bin:/bin\n>>> passwd\nroot:x:0:0:root:/root:/bin/bash\nnginx:x:999:101::/nonexistent:/bin/false\nbroken\n\n\
>>> group\nadm:x:4:syslog,nginx\n\n\
>>> mountinfo\n198 67 0:64 / / rw,relatime - overlay overlay rw,lowerdir=/x\n232 198 0:43 / /run/my\\040secrets ro - tmpfs tmpfs rw\n\
>>> process 14\nName:\tnginx\nPPid:\t1\nUid:\t999\t999\t999\t999\nGid:\t101\t101\t101\t101\nGroups:\t101 4 \nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n\
>>> cmdline 14\nnginx: worker process\0-c\0x\0\n\
>>> exe 14\n89ed 0\n\
>>> label 14\n\n\
>>> fd 14\ntotal 0\nl-wx------ 1 root root 64 Nov 24 10:40 3 -> /var/log/nginx/error.log\nlr-x------ 1 root root 64 Nov 24 10:40 4 -> /etc/passwd\nlrwx------ 1 root root 64 Nov 24 10:40 5 -> socket:[71054]\nlrwx------ 1 root root 64 Nov 24 10:40 0 -> /dev/null\n\
>>> tcp\n  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 71054 1 0 100\n   1: 00000000:1F90 01020304:0000 01 00000000:00000000 00:00000000 00000000     0        0 5 1 0 100\n\
>>> tcp6\nhead\n   0: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7 1 0\n\
>>> unix\nNum RefCount Protocol Flags Type St Inode Path\n0: 00000002 00000000 00010000 0001 01 8 /run/admin.sock\n0: 00000003 00000000 00000000 0001 03 9\n\
>>> changed\n41c0 999 0 4096 '/var/cache/nginx/client_temp'\n81a4 0 0 2 '/run/nginx.pid'\na1ff 0 0 4 '/var/run' -> '/run'\n\
>>> given\n41ed 999 0 4096 '/srv/data'\n\
>>> empty\n/srv/uploads\nnoise\n\
>>> end\n";

    #[test]
    fn options_are_read_as_their_help_prints_them() {
        let help = ">>> help\nUsage: clockd [OPTION]...\n  -4\t\tUse IPv4 only\n  -u USER\tSpecify user (clock)\n  --no-drop, -n  Do not drop root\n\
                    -u/--user USER -- run as this user\n  -m, --max=N    at most N\n      continued  text\n>>> end\n";
        let read: Vec<(String, bool, String)> = options(help)
            .into_iter()
            .map(|option| (option.flag, option.takes_value, option.text))
            .collect();
        let expected = [
            ("-4", false, "Use IPv4 only"),
            ("-u", true, "Specify user (clock)"),
            ("--no-drop", false, "Do not drop root"),
            ("-u", true, "run as this user"),
            ("-m", true, "at most N"),
        ];
        assert_eq!(
            read,
            expected.map(|(flag, value, text)| (flag.to_owned(), value, text.to_owned()))
        );
    }

    #[test]
    fn the_first_program_that_starts_is_the_containers() {
        let log =
            ">>> started 9\n\0\n>>> started 12\n/bin/sh\0/entry\npoint\0\0\n>>> started 15\nls\0\n";
        assert_eq!(started(log), ["/bin/sh", "/entry\npoint", ""]);
        assert_eq!(started("noise"), [""; 0]);
    }

    #[test]
    fn an_answer_becomes_facts() {
        let found = inside(ANSWER);
        assert_eq!(found.search_path.as_deref(), Some("/usr/bin:/bin"));
        assert_eq!(found.directory.as_deref(), Some("/srv"));
        assert_eq!(
            found
                .accounts
                .users
                .iter()
                .map(|a| (a.name.as_str(), a.uid, a.gid))
                .collect::<Vec<_>>(),
            [("root", 0, 0), ("nginx", 999, 101)]
        );
        assert_eq!(found.accounts.groups[0].members, ["syslog", "nginx"]);
        assert_eq!(
            (found.mounts[1].point.as_str(), found.mounts[1].options.read_only),
            ("/run/my secrets", true)
        );
        let process = &found.processes[0];
        let credentials = &process.credentials;
        assert_eq!(
            (process.pid, process.parent, credentials.uid.effective, credentials.groups.as_slice()),
            (14, 1, 999, &[101, 4][..])
        );
        assert_eq!(
            (credentials.sets.bounding.bits(), credentials.no_new_privs, process.seccomp),
            (0xa804_25fb, true, 2)
        );
        assert_eq!((process.arguments.len(), &process.label), (3, &None));
        assert!(process.is_set_user_id && !is_set_user_id_root("81ed 0"));
        assert!(!is_set_user_id_root("89ed 100") && !is_set_user_id_root(""));
        let given: Vec<(&str, u32)> =
            found.given.iter().map(|stat| (stat.path.as_str(), stat.inode.uid)).collect();
        assert_eq!(
            (given, found.empty),
            (vec![("/srv/data", 999)], vec!["/srv/uploads".to_owned()])
        );
        assert_eq!(
            found.open_for_writing,
            [OpenFile { process: 14, path: "/var/log/nginx/error.log".to_owned() }]
        );
        assert_eq!(
            found.listeners,
            [
                Listener::Tcp {
                    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                    port: 80,
                    process: Some(14)
                },
                Listener::Tcp {
                    address: IpAddr::V6(Ipv6Addr::LOCALHOST),
                    port: 443,
                    process: None
                },
                Listener::Unix { path: "/run/admin.sock".to_owned(), process: None },
            ]
        );
        let changed: Vec<_> = found
            .changed
            .iter()
            .map(|stat| {
                (stat.path.as_str(), stat.inode.is_directory(), stat.inode.target.as_deref())
            })
            .collect();
        assert_eq!(
            changed,
            [
                ("/var/cache/nginx/client_temp", true, None),
                ("/run/nginx.pid", false, None),
                ("/var/run", false, Some("/run"))
            ]
        );
    }

    #[test]
    fn a_cut_or_hostile_answer_is_no_panic() {
        for end in 0..ANSWER.len() {
            if let Some(part) = ANSWER.get(..end) {
                let _ = (inside(part), path_stats(part), access_context(part));
            }
        }
        let _ = inside(
            ">>> process 99999999999\nUid:\tx\n>>> fd\nl -> \n>>> tcp\n\n 0: : 0 0A\n>>> mountinfo\n - \n\\9 \\ - \\",
        );
    }

    /// What tar and od show of a file: a PAX header, and its records as far as they go.
    fn attributes(size: usize, records: &[u8]) -> String {
        let mut bytes = vec![0; 512];
        bytes[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        bytes[156] = b'x';
        bytes[257..262].copy_from_slice(b"ustar");
        bytes.extend(records);
        bytes.iter().map(|byte| format!(" {byte:02x}")).collect()
    }

    #[test]
    fn what_decides_over_access_is_read() {
        let status = "Uid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nGroups:\t9 \nCapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nCapBnd:\t400\nCapAmb:\t0\nNoNewPrivs:\t1\n";
        let value = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let record = [b"57 SCHILY.xattr.security.capability=".as_slice(), &value, b"\n"].concat();
        assert_eq!(record.len(), 57);
        let records = [b"30 mtime=1700000000.123456789\n".as_slice(), &record].concat();
        let answer = format!(
            ">>> self\n{status}>>> mountinfo\n1 2 0:3 / /d rw,nosuid,noexec - tmpfs tmpfs ro\n>>> passwd\nweb:x:7:8::/:\n\n>>> port\n80\n\
>>> attributes /bin/ping\n{}\n>>> attributes /bin/sh\n{}\n>>> attributes /none\n\n>>> attributes /cut\n{}\n>>> end\n",
            attributes(records.len(), &records),
            attributes(30, b"30 mtime=1700000000.123456789\n"),
            attributes(records.len(), &records[..50]),
        );
        let context = access_context(&answer);
        let own = context.own.expect("a process");
        assert_eq!(
            (own.uid.effective, own.groups.as_slice(), own.no_new_privs),
            (7, &[9][..], true)
        );
        assert_eq!((context.first, context.unprivileged_port_start), (None, Some(80)));
        let mount = &context.mounts[0];
        let options = mount.options;
        assert!(options.read_only && options.noexec && options.nosuid);
        assert_eq!(context.accounts.users[0].name, "web");
        let capabilities = |path| {
            context
                .file_capabilities
                .get(path)
                .map(|found| found.map(|found| found.to_string()).unwrap_or_default())
        };
        assert_eq!(capabilities("/bin/ping").as_deref(), Some("cap_net_bind_service=ep"));
        assert_eq!(capabilities("/bin/sh").as_deref(), Some(""));
        assert_eq!((capabilities("/none"), capabilities("/cut")), (None, None));
    }

    #[test]
    fn a_look_has_each_step_once() {
        let answer =
            ">>> stats\n41ed 0 0 4096 '/'\n41ed 0 0 4096 '/run'\n41ed 0 0 4096 '/'\n>>> end\n";
        let steps = path_stats(answer).expect("an answer").stats;
        assert_eq!(steps.iter().map(|stat| stat.path.as_str()).collect::<Vec<_>>(), ["/", "/run"]);
        assert_eq!(path_stats(">>> none\n"), None);
    }
}
