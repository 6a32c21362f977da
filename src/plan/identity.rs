//! Whom a container could run as, best first.

use crate::model::accounts::{Account, Identity};
use crate::model::filesystem::PathStat;
use crate::model::identity::{Assignment, Candidate};
use crate::model::image::{DeclaredUser, Image};
use crate::model::inside::Inside;
use crate::model::trace::Traced;

/// Accounts that distributions ship whether or not a package uses them (Debian's base-passwd,
/// passwd.master; Alpine's alpine-baselayout; Fedora's setup). One of them is chosen only where
/// something points at it.
const DISTRIBUTION: [&str; 44] = [
    "_apt",
    "adm",
    "at",
    "backup",
    "bin",
    "cron",
    "cyrus",
    "daemon",
    "dbus",
    "ftp",
    "games",
    "gnats",
    "guest",
    "halt",
    "irc",
    "list",
    "lp",
    "mail",
    "man",
    "messagebus",
    "news",
    "nobody",
    "ntp",
    "operator",
    "postmaster",
    "proxy",
    "root",
    "shutdown",
    "smmsp",
    "squid",
    "sshd",
    "sync",
    "sys",
    "systemd-coredump",
    "systemd-network",
    "systemd-oom",
    "systemd-resolve",
    "systemd-timesync",
    "tss",
    "uucp",
    "vpopmail",
    "www-data",
    "xfs",
    "polkitd",
];

/// A uid above every distribution's system accounts and below what a person would be given, when
/// nothing says more.
const NOBODY_IN_PARTICULAR: u32 = 1000;

/// What is known when an identity is to be chosen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The container as it runs as root today.
    pub inside: Option<&'a Inside>,
    /// What a trace of it tells.
    pub traced: Option<&'a Traced>,
    pub accounts: &'a [Account],
    /// What is at paths that the program writes or reads.
    pub stats: &'a [PathStat],
    /// `runAsUser` and `runAsGroup` that the spec gives it, its own or the pod's; root's too.
    pub declared: Option<(u32, Option<u32>)>,
    /// `runAsNonRoot: true` holds for it.
    pub non_root: bool,
    /// `hostUsers: false`: whoever it is inside, outside it is nobody (KEP-127).
    pub user_namespace: bool,
    /// uid and gid of its first process as it runs today.
    pub running: Option<(u32, u32)>,
    /// What the image's USER says, where its configuration was read.
    pub image: Option<&'a DeclaredUser>,
    /// The cluster chooses the uid, as OpenShift's default constraints do (MustRunAsRange).
    pub chosen_by_cluster: bool,
    /// Whom the image's USER means.
    pub image_user: Option<&'a Identity>,
    /// Whom the image's entrypoint goes over to.
    pub drops: &'a [Identity],
    /// Words that may name the program: its command, its container, its image.
    pub names: &'a [String],
    /// The uids that the namespace allows (`openshift.io/sa.scc.uid-range`): first and count.
    pub range: Option<(u32, u32)>,
}

/// Ranks the users that a container could run as. Never empty, never root.
#[must_use]
pub fn candidates(known: Known<'_>) -> Vec<Candidate> {
    let mut ranked: Vec<Candidate> = Vec::new();
    let found = asked_for(known)
        .into_iter()
        .chain(seen(known))
        .chain(of_the_image(known))
        .chain(of_the_files(known))
        .chain(accounts(known));
    for one in found {
        let is_new = !ranked.iter().any(|known| (known.uid, known.gid) == (one.uid, one.gid));
        if one.uid != 0 && is_new {
            ranked.push(one);
        }
    }
    let guess = guess(known);
    if !ranked.iter().any(|known| (known.uid, known.gid) == (guess.uid, guess.gid)) {
        ranked.push(guess);
    }
    if let Some((first, count)) = known.range {
        ranked.retain(|candidate| candidate.uid >= first && candidate.uid - first < count);
    }
    ranked
}

fn candidate(uid: u32, gid: u32, groups: Vec<u32>, why: String) -> Candidate {
    Candidate { assignment: Assignment::Set, uid, gid, groups, why }
}

fn of_account(account: &Account, why: String) -> Candidate {
    candidate(account.uid, account.gid, Vec::new(), why)
}

fn account(known: Known<'_>, uid: u32) -> Option<&Account> {
    known.accounts.iter().find(|account| account.uid == uid)
}

/// Whom the namespace or the spec asks for, and who its first process is today.
fn asked_for(known: Known<'_>) -> Vec<Candidate> {
    let first = known.range.map(|(first, _)| {
        let why = "the first uid of the namespace's range (openshift.io/sa.scc.uid-range)";
        candidate(first, 0, Vec::new(), why.to_owned())
    });
    let declared = known.declared.map(|(uid, gid)| {
        let gid = gid.unwrap_or_else(|| primary(known, uid));
        candidate(uid, gid, Vec::new(), "the spec has this user".to_owned())
    });
    let running = known.running.map(|(uid, gid)| {
        candidate(uid, gid, Vec::new(), "it runs as this user already".to_owned())
    });
    first.into_iter().chain(declared).chain(running).collect()
}

/// Users that its processes have, or went over to in a trace.
fn seen(known: Known<'_>) -> Vec<Candidate> {
    let others = |groups: &[u32], gid: u32| -> Vec<u32> {
        groups.iter().copied().filter(|group| *group != gid && *group != 0).collect()
    };
    let processes = known.inside.iter().flat_map(|inside| &inside.processes).map(|process| {
        let credentials = &process.credentials;
        let (uid, gid) = (credentials.uid.effective, credentials.gid.effective);
        let name = account_name(known.accounts, uid);
        let why = format!("its process {} runs as {name} already", process.name);
        candidate(uid, gid, others(&credentials.groups, gid), why)
    });
    let traced = known.traced.iter().flat_map(|traced| &traced.became).map(|became| {
        let of_account = account(known, became.uid).map(|account| account.gid);
        let gid = became.gid.filter(|gid| *gid != 0).or(of_account).unwrap_or(became.uid);
        let program = became.program.as_deref().and_then(|path| path.rsplit('/').next());
        let name = account_name(known.accounts, became.uid);
        let program = program.unwrap_or("the program");
        let why = format!("in the trace {program} goes over to {name}");
        candidate(became.uid, gid, others(&became.groups, gid), why)
    });
    processes.chain(traced).collect()
}

/// Users that the image's configuration and its scripts name, and those that are named as the
/// program is.
fn of_the_image(known: Known<'_>) -> Vec<Candidate> {
    let name = |user: &Identity| user.name.clone().unwrap_or_else(|| user.uid.to_string());
    let of_identity =
        |user: &Identity, why: String| candidate(user.uid, user.gid, user.groups.clone(), why);
    let declared = known
        .image_user
        .map(|user| of_identity(user, format!("the image's USER is {}", name(user))));
    let drops = known
        .drops
        .iter()
        .map(|user| of_identity(user, format!("the image's entrypoint drops to {}", name(user))));
    let is_its = |account: &&Account| {
        !is_distribution(account) && known.names.iter().any(|name| is_named(name, &account.name))
    };
    let named = known.accounts.iter().filter(is_its).map(|account| {
        of_account(account, format!("the image has a user {} for it", account.name))
    });
    declared.into_iter().chain(drops).chain(named).collect()
}

/// Accounts that what the program uses belongs to, or is given to in a trace.
fn of_the_files(known: Known<'_>) -> Vec<Candidate> {
    let touched = known.traced.iter().flat_map(|traced| traced.touched.values());
    let given = touched.filter_map(|touched| account(known, touched.owner?)).map(|account| {
        of_account(account, format!("in the trace files are given to {}", account.name))
    });
    let directories = known.stats.iter().map(|stat| &stat.inode).filter(|it| it.is_directory());
    let owners = directories.filter_map(|inode| account(known, inode.uid)).map(|account| {
        of_account(account, format!("directories that it uses belong to {}", account.name))
    });
    given.chain(owners).collect()
}

/// All accounts that the distribution does not bring. Packages make theirs one after another, and
/// the program's own is the last.
fn accounts(known: Known<'_>) -> Vec<Candidate> {
    let all = || known.accounts.iter().filter(|account| !is_distribution(account));
    let of_packages = all().rev().filter(|account| account.uid < NOBODY_IN_PARTICULAR);
    let of_packages = of_packages.map(|account| {
        of_account(account, format!("a package of the image made the user {}", account.name))
    });
    let rest =
        all().map(|account| of_account(account, format!("the image has a user {}", account.name)));
    of_packages.chain(rest).collect()
}

/// A user that nothing points at.
fn guess(known: Known<'_>) -> Candidate {
    let why = match known.accounts.is_empty() {
        true => "nobody looked into its image",
        false => "nothing in the image asks for a certain user",
    };
    let (uid, gid) = (NOBODY_IN_PARTICULAR, NOBODY_IN_PARTICULAR);
    Candidate { assignment: Assignment::Guess, ..candidate(uid, gid, Vec::new(), why.to_owned()) }
}

/// The group that a runtime gives a user of whom only the number is known: that of its passwd line,
/// else root's (containerd, pkg/oci/spec_opts.go, WithUserID).
fn primary(known: Known<'_>, uid: u32) -> u32 {
    known.accounts.iter().find(|account| account.uid == uid).map_or(0, |account| account.gid)
}

/// The user that a container has in a plan: the one that it has already, wherever it is not root;
/// else the best of its candidates. A user that nobody asked to replace stays.
#[must_use]
pub fn assigned(known: Known<'_>, candidates: &[Candidate]) -> Candidate {
    let best = candidates.first().cloned().unwrap_or_default();
    let kept = |uid: u32, gid: Option<u32>, why: &str| Candidate {
        assignment: Assignment::Kept,
        uid,
        gid: gid.unwrap_or_else(|| primary(known, uid)),
        groups: Vec::new(),
        why: why.to_owned(),
    };
    let unknown = |why: &str| Candidate {
        assignment: Assignment::Unknown,
        why: why.to_owned(),
        ..best.clone()
    };
    if known.user_namespace {
        let why = "it is in a user namespace (hostUsers: false)";
        return known
            .declared
            .or(known.running.map(|(uid, gid)| (uid, Some(gid))))
            .map_or_else(|| unknown(why), |(uid, gid)| kept(uid, gid, why));
    }
    match known.declared {
        Some((0, _)) => return best,
        Some((uid, gid)) => return kept(uid, gid, "the spec has this user"),
        None => {}
    }
    if known.chosen_by_cluster {
        return match known.range {
            Some((first, _)) => kept(
                first,
                Some(0),
                "the namespace's range gives it its uid (openshift.io/sa.scc.uid-range)",
            ),
            None => unknown("OpenShift gives it a uid of its namespace's range"),
        };
    }
    match (known.image, known.running) {
        (Some(DeclaredUser::Number(uid, gid)), _) => {
            kept(*uid, *gid, "the image's USER is this number")
        }
        (Some(DeclaredUser::Root), _) | (_, Some((0, _))) => best,
        // It runs under runAsNonRoot: its image's USER is a number, or the kubelet would have
        // refused it.
        (_, Some((uid, gid))) if known.non_root => {
            kept(uid, Some(gid), "it runs as this user already")
        }
        (Some(DeclaredUser::Name(name)), _) => named(known, name).unwrap_or_else(|| Candidate {
            assignment: Assignment::Guess,
            why: format!("the image's USER is {name}, whose number --images reads"),
            ..best
        }),
        (None, Some((uid, gid))) => Candidate {
            assignment: Assignment::Set,
            uid,
            gid,
            groups: Vec::new(),
            why: "it runs as this user already, and runAsNonRoot wants a number".to_owned(),
        },
        (None, None) if known.non_root => {
            unknown("the image's own user, which runAsNonRoot keeps from being root")
        }
        (None, None) => best,
    }
}

/// The number of the image's USER, which is a name.
fn named(known: Known<'_>, name: &str) -> Option<Candidate> {
    let why = format!("the image's USER is {name}, and runAsNonRoot wants a number");
    let of_image = known.image_user.map(|user| (user.uid, user.gid, user.groups.clone()));
    let account = known.accounts.iter().find(|account| account.name == name);
    let of_account = account.map(|account| (account.uid, account.gid, Vec::new()));
    let running = known.running.map(|(uid, gid)| (uid, gid, Vec::new()));
    let (uid, gid, groups) = of_image.or(running).or(of_account).filter(|(uid, ..)| *uid != 0)?;
    Some(Candidate { assignment: Assignment::Set, uid, gid, groups, why })
}

/// Ranks the users that an image could run as, by the image alone. `command` is the pod's own,
/// empty where the image's holds; `names` are words beside it that may name the program.
#[must_use]
pub fn of_image(image: &Image, command: &[String], names: &[String]) -> Vec<Candidate> {
    let own = || [image.config.entrypoint.as_slice(), &image.config.command].concat();
    let words = if command.is_empty() { own() } else { command.to_vec() };
    let names: Vec<String> = names.iter().cloned().chain(words.into_iter().take(1)).collect();
    // What it keeps its data in, then what its most likely user owns.
    let places = image.config.volumes.iter().map(String::as_str).chain([image.working_directory()]);
    let places = places.filter_map(|place| image.tree.resolve(place.as_bytes(), true));
    let owned =
        image.program_user().map(|user| image.owned_directories(user.uid)).unwrap_or_default();
    let stats: Vec<PathStat> = places
        .chain(owned)
        .filter_map(|place| image.stat(place))
        .filter(|stat| stat.inode.is_directory())
        .collect();
    let user = image.user().ok();
    candidates(Known {
        accounts: &image.accounts.users,
        stats: &stats,
        image_user: user.as_ref(),
        drops: &image.drops(command),
        names: &names,
        ..Known::default()
    })
}

/// Whether a name has an account's as a word or as several: `registry/apt-cacher:1` has
/// `apt-cacher`.
fn is_named(name: &str, account: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    name.match_indices(account).any(|(at, _)| {
        ends(name[..at].chars().next_back()) && ends(name[at + account.len()..].chars().next())
    })
}

fn is_distribution(account: &Account) -> bool {
    DISTRIBUTION.contains(&account.name.as_str()) || account.uid == 0 || account.uid >= 65_534
}

fn account_name(accounts: &[Account], uid: u32) -> String {
    accounts
        .iter()
        .find(|account| account.uid == uid)
        .map_or_else(|| format!("uid {uid}"), |account| account.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::credentials::Credentials;
    use crate::model::inside::Process;

    fn account(name: &str, uid: u32) -> Account {
        Account {
            name: name.to_owned(),
            uid,
            gid: uid + 1,
            home: "/".to_owned(),
            shell: "/bin/false".to_owned(),
        }
    }

    fn first(known: Known<'_>) -> (u32, u32) {
        let best = candidates(known).into_iter().next().expect("never empty");
        (best.uid, best.gid)
    }

    #[test]
    fn what_runs_already_beats_what_the_image_has() {
        let accounts = [
            account("root", 0),
            account("www-data", 33),
            account("cache", 100),
            account("web", 101),
        ];
        let process = |uid| Process {
            credentials: Credentials::unprivileged(uid, 7, &[]),
            ..Process::default()
        };
        let inside = Inside { processes: vec![process(0), process(33)], ..Inside::default() };
        let names = ["cache-server".to_owned()];
        let known = Known { accounts: &accounts, names: &names, ..Known::default() };
        assert_eq!(first(Known { inside: Some(&inside), ..known }), (33, 7));
        assert_eq!(first(known), (100, 101), "a name beats the last package");
        assert_eq!(first(Known { names: &[], ..known }), (101, 102));
        assert_eq!(first(Known { declared: Some((42, Some(43))), ..known }), (42, 43));
        assert_eq!(first(Known { running: Some((44, 45)), ..known }), (44, 45));
    }

    #[test]
    fn a_name_may_be_of_several_words() {
        assert!(is_named("localhost/apt-cacher-ng:1", "apt-cacher-ng") && is_named("web", "web"));
        assert!(
            is_named("my_db-1", "db") && !is_named("webmail", "web") && !is_named("nothing", "apt")
        );
    }

    #[test]
    fn nothing_points_anywhere() {
        let accounts = [account("root", 0), account("www-data", 33), account("nobody", 65_534)];
        assert_eq!(first(Known { accounts: &accounts, ..Known::default() }), (1000, 1000));
    }

    /// What is written of a container's user: uid and gid, or how it comes by the one that it
    /// keeps.
    fn written(known: Known<'_>) -> Result<(u32, u32), (Assignment, u32, u32)> {
        let Candidate { assignment, uid, gid, .. } = assigned(known, &candidates(known));
        if assignment.is_written() { Ok((uid, gid)) } else { Err((assignment, uid, gid)) }
    }

    #[test]
    fn a_user_that_is_not_root_stays() {
        use Assignment::{Kept, Unknown};
        let accounts = [account("root", 0), account("web", 101)];
        let nothing = Known::default();
        let number = DeclaredUser::Number(999, Some(0));
        let (root, name) = (DeclaredUser::Root, DeclaredUser::Name("web".to_owned()));
        let non_root = Known { non_root: true, ..nothing };
        for (known, expected) in [
            (nothing, Ok((1000, 1000))),
            // The group that the spec leaves open is the image's, and is not written.
            (Known { declared: Some((1001, None)), ..nothing }, Err((Kept, 1001, 0))),
            (
                Known { declared: Some((101, None)), accounts: &accounts, ..nothing },
                Err((Kept, 101, 102)),
            ),
            (Known { declared: Some((0, None)), ..non_root }, Ok((1000, 1000))),
            (non_root, Err((Unknown, 1000, 1000))),
            (Known { image: Some(&number), ..nothing }, Err((Kept, 999, 0))),
            (Known { image: Some(&root), ..non_root }, Ok((1000, 1000))),
            (Known { image: Some(&name), ..non_root }, Ok((1000, 1000))),
            (Known { image: Some(&name), accounts: &accounts, ..non_root }, Ok((101, 102))),
            (Known { running: Some((33, 34)), ..non_root }, Err((Kept, 33, 34))),
            (Known { running: Some((33, 34)), ..nothing }, Ok((33, 34))),
            (Known { running: Some((0, 0)), ..nothing }, Ok((1000, 1000))),
            (
                Known { running: Some((999, 0)), image: Some(&number), ..nothing },
                Err((Kept, 999, 0)),
            ),
            (Known { user_namespace: true, ..nothing }, Err((Unknown, 1000, 1000))),
            (Known { user_namespace: true, running: Some((0, 0)), ..nothing }, Err((Kept, 0, 0))),
            (
                Known { user_namespace: true, declared: Some((0, None)), ..nothing },
                Err((Kept, 0, 0)),
            ),
            (Known { chosen_by_cluster: true, ..nothing }, Err((Unknown, 1000, 1000))),
            (
                Known { chosen_by_cluster: true, range: Some((5000, 10)), ..nothing },
                Err((Kept, 5000, 0)),
            ),
            (
                Known { chosen_by_cluster: true, declared: Some((7, Some(8))), ..nothing },
                Err((Kept, 7, 8)),
            ),
        ] {
            assert_eq!(written(known), expected, "{known:?}");
        }
    }

    #[test]
    fn a_guess_is_called_a_guess() {
        let assigned = |known: Known<'_>| assigned(known, &candidates(known));
        assert_eq!(assigned(Known::default()).assignment, Assignment::Guess);
        let name = DeclaredUser::Name("web".to_owned());
        let named = assigned(Known { image: Some(&name), ..Known::default() });
        assert!(
            named.assignment == Assignment::Guess && named.why.contains("--images"),
            "{named:?}"
        );
    }

    #[test]
    fn a_namespace_may_bound_the_uids() {
        let accounts = [account("web", 101)];
        let known =
            Known { accounts: &accounts, range: Some((1_000_680_000, 10_000)), ..Known::default() };
        assert_eq!(candidates(known).iter().map(|c| c.uid).collect::<Vec<_>>(), [1_000_680_000]);
    }
}
