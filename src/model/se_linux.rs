//! The labels of SELinux, and what of two of them does not match.
//! Documentation/admin-guide/LSM/SELinux.rst; container-selinux, container_selinux(8); KEP-1710.

use std::collections::BTreeSet;
use std::fmt;

/// `user:role:type:level`, the context of a process, a file or a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label<'t> {
    pub user: &'t str,
    pub role: &'t str,
    /// The domain of a process, the type of anything else.
    pub kind: &'t str,
    /// `s0:c1,c2`: a sensitivity, or a range of two, and categories. Empty where the policy knows
    /// none.
    pub level: &'t str,
}

impl<'t> Label<'t> {
    /// Reads a context as audit records and `/proc/self/attr/current` have it.
    #[must_use]
    pub fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.splitn(4, ':');
        let (user, role, kind) = (parts.next()?, parts.next()?, parts.next()?);
        (!kind.is_empty()).then_some(Self {
            user,
            role,
            kind,
            level: parts.next().unwrap_or_default(),
        })
    }

    /// Whether a process of this label runs in a container, and is not the runtime itself or another
    /// service of the node (container_selinux(8); svirt is the older name, and udica's policies call
    /// their domain `NAME.process`).
    #[must_use]
    pub fn is_of_container(&self) -> bool {
        let kind = self.kind;
        let is_older = ["svirt", "spc_t"].iter().any(|prefix| kind.starts_with(prefix));
        let is_named = ["container", "docker", "openshift"].iter().any(|word| kind.contains(word));
        is_older || kind.ends_with(".process") || is_named && !kind.starts_with("container_runtime")
    }

    /// The highest sensitivity's categories, ranges such as `c1.c3` spelled out.
    #[must_use]
    pub fn categories(&self) -> BTreeSet<u32> {
        categories(self.level)
    }

    /// Whether categories alone stand between a process and a thing: those of the process must hold
    /// all of the thing's (the `dominates` of mlsconstrain in the policy's mcs file).
    #[must_use]
    pub fn reaches(&self, thing: &Label<'_>) -> bool {
        self.categories().is_superset(&thing.categories())
    }
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.user, self.role, self.kind)?;
        if self.level.is_empty() { Ok(()) } else { write!(f, ":{}", self.level) }
    }
}

/// The highest number of a category (`c0.c1023`); what is beyond it is no level.
const LAST_CATEGORY: u32 = 1023;

/// The categories of a level; of a range, those that it may go up to.
#[must_use]
pub fn categories(level: &str) -> BTreeSet<u32> {
    let high = level.rsplit('-').next().unwrap_or_default();
    let Some((_, list)) = high.split_once(':') else { return BTreeSet::new() };
    let number = |text: &str| {
        text.strip_prefix('c')?.parse::<u32>().ok().filter(|number| *number <= LAST_CATEGORY)
    };
    let mut found = BTreeSet::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('.').unwrap_or((part, part));
        if let (Some(first), Some(last)) = (number(first), number(last)) {
            found.extend(first..=last);
        }
    }
    found
}

/// What of two labels does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The process has other categories than the object, which was labelled for another pod.
    Categories,
    /// The policy does not open the type of the object to the domain of the process.
    Type {
        /// The type of the object, such as `nfs_t`.
        object: String,
    },
    /// The object is the entry in /proc of another process, which has the label of that process.
    OtherProcess,
}

impl Mismatch {
    /// What does not match of the labels of a process and a file, where SELinux denied the access.
    #[must_use]
    pub fn between(process: &Label<'_>, object: &Label<'_>) -> Self {
        // container_file_t, container_ro_file_t, container_share_t, and their older names
        // svirt_sandbox_file_t.
        let is_containers =
            object.kind.starts_with("container_") || object.kind.starts_with("svirt_");
        if is_containers && !process.reaches(object) {
            Self::Categories
        } else {
            Self::Type { object: object.kind.to_owned() }
        }
    }

    /// The sentence, with both sides in it.
    #[must_use]
    pub fn sentence(&self, process: &Label<'_>, object: &Label<'_>) -> String {
        match self {
            Self::Categories => format!(
                "its categories are {}, and the process has {}: it was labelled for another pod",
                level(object.level),
                level(process.level)
            ),
            Self::Type { object } => format!("its type {object} is not open to {}", process.kind),
            Self::OtherProcess => format!(
                "the entry in /proc of another process, which runs as {}, is not open to {}",
                object.kind, process.kind
            ),
        }
    }
}

fn level(level: &str) -> &str {
    if level.is_empty() { "none" } else { level }
}

/// How a kubelet of v1.`minor` labels a volume for a pod that has a level (KEP-1710,
/// pkg/features/kube_features.go), a sentence each; `gate` is SELinuxMount where the kubelet's
/// configuration names it.
#[must_use]
pub fn labelling(minor: u32, gate: Option<bool>) -> Vec<String> {
    let mounts_all = gate.unwrap_or(minor >= 37);
    let mut sentences = vec![match (minor, mounts_all) {
        (0..=26, _) => {
            "the runtime relabels every file of a volume when a container starts".to_owned()
        }
        (27.., false) => format!(
            "v1.{minor} mounts a ReadWriteOncePod volume with the pod's label, and has the runtime relabel every file of any other"
        ),
        (27.., true) => format!(
            "v1.{minor} mounts a volume with the pod's label (SELinuxMount) where its CSIDriver has seLinuxMount: true, and has the \
             runtime relabel every file elsewhere; two pods with different labels cannot have such a volume on one node together"
        ),
    }];
    if minor >= 33 {
        sentences.push(
            "seLinuxChangePolicy: Recursive has the files relabelled instead of the mount, MountOption is the default"
                .to_owned(),
        );
    }
    sentences.push(
        "no kubelet relabels a hostPath volume: its files need the right type on the node"
            .to_owned(),
    );
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_has_colons_and_ranges_of_its_own() {
        let label =
            Label::parse("system_u:object_r:container_file_t:s0:c208,c620").expect("a label");
        assert_eq!((label.kind, label.level), ("container_file_t", "s0:c208,c620"));
        assert_eq!(label.categories(), BTreeSet::from([208, 620]));
        assert_eq!(categories("s0-s0:c0.c3,c7"), BTreeSet::from([0, 1, 2, 3, 7]));
        assert_eq!(categories("s0"), BTreeSet::new());
        assert_eq!(categories("s0:c0.c4000000000"), BTreeSet::new(), "no memory for nonsense");
        assert_eq!(Label::parse("unconfined"), None);
        assert_eq!(label.to_string(), "system_u:object_r:container_file_t:s0:c208,c620");
    }

    #[test]
    fn categories_must_hold_all_of_the_things() {
        let label = |level| Label { user: "u", role: "r", kind: "container_file_t", level };
        for (process, thing, reaches) in [
            ("s0:c1,c2", "s0:c1,c2", true),
            ("s0:c2,c1", "s0:c1,c2", true),
            ("s0:c1,c2", "s0", true),
            ("s0:c1,c2", "s0:c1,c3", false),
            ("s0", "s0:c1", false),
            ("s0-s0:c0.c1023", "s0:c1,c3", true),
        ] {
            assert_eq!(label(process).reaches(&label(thing)), reaches, "{process} {thing}");
        }
    }

    #[test]
    fn labels_of_containers_differ_in_categories_and_others_in_type() {
        let process = Label::parse("system_u:system_r:container_t:s0:c1,c2").expect("a label");
        let of_type = |object: &str| Mismatch::Type { object: object.to_owned() };
        for (object, mismatch) in [
            ("system_u:object_r:container_file_t:s0:c3,c4", Mismatch::Categories),
            ("system_u:object_r:container_file_t:s0:c1,c2", of_type("container_file_t")),
            ("system_u:object_r:var_t:s0", of_type("var_t")),
            ("system_u:object_r:nfs_t:s0", of_type("nfs_t")),
        ] {
            let object = Label::parse(object).expect("a label");
            assert_eq!(Mismatch::between(&process, &object), mismatch, "{object}");
        }
    }

    #[test]
    fn labelling_depends_on_the_version() {
        assert!(labelling(26, None)[0].contains("every file of a volume"));
        assert!(labelling(32, None)[0].contains("ReadWriteOncePod"));
        assert!(labelling(37, None)[0].contains("SELinuxMount"));
        assert!(labelling(37, Some(false))[0].contains("ReadWriteOncePod"));
        assert!(
            labelling(33, None)[1].contains("seLinuxChangePolicy")
                && !labelling(32, None)[1].contains("seLinuxChangePolicy")
        );
    }
}
