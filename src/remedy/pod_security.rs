//! The fields that the level demands.

use super::{Remedy, RemedyLayer};
use crate::model::detail::Detail;
use crate::model::obstacle::{Category, Obstacle};

/// Of what a level demands of every pod.
pub const POD_SECURITY_FIELDS: &str = "pod-security-fields";

pub(super) const REMEDY: Remedy = Remedy {
    id: POD_SECURITY_FIELDS,
    layer: RemedyLayer::Pod,
    title: "Set the fields that the Pod Security level demands",
    explain: "The restricted level wants `runAsNonRoot: true`, `allowPrivilegeEscalation: false`, `capabilities.drop: \
              [ALL]` and a `seccompProfile` of RuntimeDefault or Localhost. They change no user and no file: what the \
              program then lacks shows when it starts.",
    removes: &[Category::PodSecurity],
    suggest,
    propose: None,
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    // OpenShift's constraints name the uids that the namespace has.
    let range = obstacle.details.iter().find_map(|detail| match detail {
        Detail::UidRange(range) => Some(range),
        _ => None,
    });
    if let Some(range) = range {
        return Some(format!(
            "leave runAsUser and fsGroup out, so that the pod gets a uid of its namespace, or take one of {range}"
        ));
    }
    Some("set the fields that the level demands, as the refusal names them".to_owned())
}
