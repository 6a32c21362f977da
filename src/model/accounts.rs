//! /etc/passwd and /etc/group, and the user that an image's USER means by them.

use std::fmt;

/// A line of passwd(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: String,
    pub shell: String,
}

/// A line of group(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub gid: u32,
    pub members: Vec<String>,
}

/// The two files, in their order. Lines without a readable id are left out, as the C library leaves
/// them out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts {
    pub users: Vec<Account>,
    pub groups: Vec<Group>,
}

/// The identity that a runtime gives a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// The groups of /etc/group that list the user, the primary one not among them unless it lists
    /// the user as well.
    pub groups: Vec<u32>,
    /// The user's name, if /etc/passwd has one for the uid.
    pub name: Option<String>,
}

/// Why an image's USER means no user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserError {
    NoSuchUser(String),
    NoSuchGroup(String),
    /// Not of the form `user[:group]`, or an id out of range.
    Malformed(String),
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserError::NoSuchUser(name) => write!(f, "/etc/passwd has no user {name}"),
            UserError::NoSuchGroup(name) => write!(f, "/etc/group has no group {name}"),
            UserError::Malformed(user) => write!(f, "{user:?} is not USER[:GROUP]"),
        }
    }
}

impl Accounts {
    #[must_use]
    pub fn parse(passwd: &[u8], group: &[u8]) -> Accounts {
        let users = lines(passwd).filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            let home = fields.nth(1).unwrap_or_default().to_owned();
            Some(Account {
                name,
                uid,
                gid,
                home,
                shell: fields.next().unwrap_or_default().to_owned(),
            })
        });
        let groups = lines(group).filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let gid = fields.nth(1)?.parse().ok()?;
            let members =
                fields.next().unwrap_or_default().split(',').filter(|member| !member.is_empty());
            Some(Group { name, gid, members: members.map(str::to_owned).collect() })
        });
        Accounts { users: users.collect(), groups: groups.collect() }
    }

    #[must_use]
    pub fn user(&self, uid: u32) -> Option<&Account> {
        self.users.iter().find(|user| user.uid == uid)
    }

    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Account> {
        self.users.iter().find(|user| user.name == name)
    }

    #[must_use]
    pub fn group(&self, gid: u32) -> Option<&Group> {
        self.groups.iter().find(|group| group.gid == gid)
    }

    /// The user that a USER of this text means, as containerd resolves it (`WithUser` and
    /// `WithAdditionalGIDs` of its `pkg/oci/spec_opts.go`): empty is root; a lone user brings
    /// the group of its passwd line, a number without one group 0; with `:GROUP` an id needs no
    /// line. The supplementary groups are always those of the user.
    ///
    /// # Errors
    /// A [`UserError`] where the container would not start.
    pub fn resolve(&self, user: &str) -> Result<Identity, UserError> {
        let malformed = || UserError::Malformed(user.to_owned());
        let (user_part, group_part) = match user.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (if user.is_empty() { "0" } else { user }, None),
        };
        if group_part.is_some_and(|group| group.contains(':')) {
            return Err(malformed());
        }
        let account = match id(user_part) {
            Id::Number(uid) => Ok((uid, self.user(uid))),
            Id::OutOfRange => return Err(malformed()),
            Id::Name => match self.named(user_part) {
                Some(account) => Ok((account.uid, Some(account))),
                None => Err(UserError::NoSuchUser(user_part.to_owned())),
            },
        };
        let (uid, account) = account?;
        let gid = match group_part {
            None => account.map_or(0, |account| account.gid),
            Some(group) => match id(group) {
                Id::Number(gid) => gid,
                Id::OutOfRange => return Err(malformed()),
                Id::Name => match self.groups.iter().find(|known| known.name == group) {
                    Some(known) => known.gid,
                    None => return Err(UserError::NoSuchGroup(group.to_owned())),
                },
            },
        };
        Ok(self.identity(uid, gid, account.map(|account| account.name.clone())))
    }

    /// The identity of a pod's `runAsUser`: its gid is `runAsGroup`, else that of the uid's passwd
    /// line, else 0.
    #[must_use]
    pub fn of_uid(&self, uid: u32, gid: Option<u32>) -> Identity {
        let account = self.user(uid);
        let gid = gid.or_else(|| account.map(|account| account.gid)).unwrap_or(0);
        self.identity(uid, gid, account.map(|account| account.name.clone()))
    }

    fn identity(&self, uid: u32, gid: u32, name: Option<String>) -> Identity {
        let lists = |group: &&Group| {
            name.as_ref().is_some_and(|name| group.name != *name && group.members.contains(name))
        };
        let groups = self.groups.iter().filter(lists).map(|group| group.gid).collect();
        Identity { uid, gid, groups, name }
    }
}

enum Id {
    Number(u32),
    OutOfRange,
    Name,
}

/// runc takes ids up to 2^31 - 1, and Go's `strconv.Atoi` reads a sign.
fn id(text: &str) -> Id {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Id::Name;
    }
    match text.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok()) {
        Some(number) => Id::Number(number),
        None => Id::OutOfRange,
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    bytes
        .split(|byte| *byte == b'\n')
        .map(|line| String::from_utf8_lossy(line.trim_ascii()))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debian() -> Accounts {
        Accounts::parse(
            b"root:x:0:0:root:/root:/bin/bash\n# comment\nbroken:x:nine:9::/:\nnginx:x:101:102:nginx user:/nonexistent:/bin/false\n\nshort:x:7:8",
            b"root:x:0:\nadm:x:4:syslog,nginx\nnginx:x:102:nginx\ntty:x:5:\n",
        )
    }

    #[test]
    fn a_user_is_resolved_as_the_runtime_does() {
        let resolve = |user: &str| {
            debian()
                .resolve(user)
                .map(|found| (found.uid, found.gid, found.groups, found.name.unwrap_or_default()))
        };
        assert_eq!(resolve(""), Ok((0, 0, vec![], "root".to_owned())));
        assert_eq!(resolve("nginx"), Ok((101, 102, vec![4], "nginx".to_owned())));
        assert_eq!(resolve("101"), Ok((101, 102, vec![4], "nginx".to_owned())));
        assert_eq!(resolve("101:0"), Ok((101, 0, vec![4], "nginx".to_owned())));
        assert_eq!(resolve("nginx:tty"), Ok((101, 5, vec![4], "nginx".to_owned())));
        assert_eq!(resolve("1000"), Ok((1000, 0, vec![], String::new())));
        assert_eq!(resolve("1000:1000"), Ok((1000, 1000, vec![], String::new())));
        assert_eq!(resolve("short"), Ok((7, 8, vec![], "short".to_owned())));
        assert_eq!(resolve("broken"), Err(UserError::NoSuchUser("broken".to_owned())));
        assert_eq!(resolve("1000:wheel"), Err(UserError::NoSuchGroup("wheel".to_owned())));
        assert_eq!(resolve("4294967295"), Err(UserError::Malformed("4294967295".to_owned())));
        assert_eq!(resolve("-1"), Err(UserError::Malformed("-1".to_owned())));
        assert_eq!(resolve("a:b:c"), Err(UserError::Malformed("a:b:c".to_owned())));
        assert_eq!(debian().of_uid(101, None).gid, 102);
        assert_eq!(
            debian().of_uid(5000, Some(1)),
            Identity { uid: 5000, gid: 1, groups: vec![], name: None }
        );
    }
}
