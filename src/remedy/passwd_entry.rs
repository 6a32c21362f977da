//! Give the user an entry in /etc/passwd.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "passwd-entry",
    layer: RemedyLayer::Pod,
    title: "Mount a copy of /etc/passwd with an entry for the user",
    explain: "getpwuid(3) finds nothing for a uid that the image's /etc/passwd does not have, and some programs give up \
              then. An init container copies the file into an emptyDir with one line more, for the uid that the container \
              runs as and with /tmp for a home, and the copy is mounted over the original with `subPath`. A uid that the \
              image has already needs none of it.",
    removes: &[Category::MissingPasswdEntry],
    suggest,
    propose: Some(propose),
};

fn suggest(_: &Obstacle) -> Option<String> {
    Some(
        "mount a copy of /etc/passwd that has a line for the uid, such as one that an init container writes".to_owned(),
    )
}

fn propose(_: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let (uid, gid) = (facts.uid, facts.gid);
    if !facts.has_shell
        || facts.accounts.is_empty()
        || facts.accounts.iter().any(|account| account.uid == uid)
    {
        return Vec::new();
    }
    vec![REMEDY.proposal(
        format!("mount a copy of /etc/passwd with an entry for {uid} over it"),
        vec![Edit::EditedFile {
            container: facts.container.clone(),
            path: "/etc/passwd".to_owned(),
            sed: format!("$a nonroot:x:{uid}:{gid}::/tmp:/bin/sh"),
        }],
    )]
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::model::accounts::Account;
    use crate::model::obstacle::Operation;

    #[test]
    fn a_line_is_added_for_who_has_none() {
        let account = |name: &str, uid| Account {
            name: name.to_owned(),
            uid,
            gid: uid,
            home: "/".to_owned(),
            shell: "/bin/sh".to_owned(),
        };
        let facts = Facts {
            uid: 1000,
            gid: 7,
            has_shell: true,
            accounts: vec![account("root", 0), account("app", 100)],
            ..Facts::default()
        };
        let obstacle = Obstacle::new(Operation::Getpwuid, Category::MissingPasswdEntry);
        assert_eq!(propose(&obstacle, &Facts { uid: 100, ..facts.clone() }), []);
        let proposals = propose(&obstacle, &facts);
        let [Edit::EditedFile { sed, .. }] = &proposals[0].edits[..] else { panic!("one edit") };
        let mut run = Command::new("sed")
            .arg(sed)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sed");
        run.stdin
            .take()
            .expect("its input")
            .write_all(b"root:x:0:0::/root:/bin/sh\n")
            .expect("written");
        let printed =
            String::from_utf8(run.wait_with_output().expect("sed ends").stdout).expect("text");
        assert_eq!(printed, "root:x:0:0::/root:/bin/sh\nnonroot:x:1000:7::/tmp:/bin/sh\n");
    }
}
