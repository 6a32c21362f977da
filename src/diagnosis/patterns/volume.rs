//! A volume that the kubelet could not give to the container's user.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, errno::compile, path};
use crate::model::obstacle::{Category, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "volume-group",
    title: "the volume's ownership could not be set",
    explain: "With `fsGroup` the kubelet changes group and mode of every file in the volume before the container starts. \
              A root-squashed NFS export and some CSI drivers refuse that.",
    source: "kubernetes pkg/volume/volume_linux.go: SetVolumeOwnership; CSIDriver.spec.fsGroupPolicy",
    signals: &["applyfsgroup", "mountvolume.setup failed", "setvolumeownership", "volume.setup"],
    examples: &[Example {
        log: "MountVolume.SetUp failed for volume \"data\" : applyFSGroup failed for vol nfs-1: lchown /var/lib/kubelet/pods/1/volumes/data: operation not permitted",
        expected: "chown EPERM /var/lib/kubelet/pods/1/volumes/data volume-ownership",
    }],
    near_misses: &[
        "MountVolume.SetUp failed for volume \"data\" : secret \"x\" not found",
        "MountVolume.SetUp failed for volume \"data\" : mount failed: exit status 32",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static FS_GROUP: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)applyFSGroup|SetVolumeOwnership|MountVolume\.SetUp failed.*(?:chown|chmod|fsGroup)",
        )
    });
    let refusal = context.refusal()?;
    if !FS_GROUP.is_match(context.text()) {
        return None;
    }
    let operation =
        if context.text().contains("chmod") { Operation::Chmod } else { Operation::Chown };
    let path =
        path::paths(&context.text()[..refusal.span.start]).pop().map(|path| path.text.to_owned());
    Some(Finding::new(operation, Category::VolumeOwnership).errno(refusal.errno).path(path))
}
