//! One SELinux level for the pods that share a volume.

use super::{Remedy, RemedyLayer};
use crate::model::detail::Detail;
use crate::model::obstacle::{Category, Obstacle};
use crate::model::se_linux::Mismatch;

pub(super) const REMEDY: Remedy = Remedy {
    id: "se-linux-level",
    layer: RemedyLayer::Pod,
    title: "Give the pods that share a volume one SELinux level",
    explain: "The runtime gives each pod without a level two categories of its own, and labels its volumes with them; a pod \
              with other categories is then locked out. With one `seLinuxOptions.level` in the securityContext of all pods \
              that share the volume, and one `seLinuxChangePolicy`, they reach the same files. The kubelet mounts the volume \
              with that label, or the runtime relabels every file, by version and CSI driver. Where OpenShift gives a \
              namespace its level, that is the one to use.",
    removes: &[Category::Selinux],
    suggest,
    // Which level is right only the administrator of the cluster knows, and no trial on a copy's
    // empty volume shows it.
    propose: None,
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let is_level = |detail: &Detail| {
        matches!(detail, Detail::SharedClaim { .. } | Detail::Labels(Mismatch::Categories))
    };
    obstacle.details.iter().any(is_level).then(|| {
        let volume = obstacle.path.as_deref().filter(|path| path.starts_with('/')).unwrap_or("the volume");
        format!(
            "set one securityContext.seLinuxOptions.level, such as s0:c10,c20, in every pod that shares {volume}: their volumes \
             are then labelled alike"
        )
    })
}
