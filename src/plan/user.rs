//! What a pod spec says of the user of a container: its own fields before the pod's.

use k8s_openapi::api::core::v1::{PodSpec, SecurityContext};

/// The user that the spec gives a container, and the group, where one is given.
#[must_use]
pub fn run_as(spec: &PodSpec, container: &str) -> Option<(u32, Option<u32>)> {
    let pod = spec.security_context.as_ref();
    let own = context(spec, container);
    let uid =
        own.and_then(|own| own.run_as_user).or_else(|| pod.and_then(|pod| pod.run_as_user))?;
    let gid = own.and_then(|own| own.run_as_group).or_else(|| pod.and_then(|pod| pod.run_as_group));
    Some((u32::try_from(uid).ok()?, gid.and_then(|gid| u32::try_from(gid).ok())))
}

/// Whether `runAsNonRoot: true` holds for a container.
#[must_use]
pub fn run_as_non_root(spec: &PodSpec, container: &str) -> bool {
    let of_pod = || spec.security_context.as_ref().and_then(|pod| pod.run_as_non_root);
    context(spec, container).and_then(|own| own.run_as_non_root).or_else(of_pod) == Some(true)
}

fn context<'s>(spec: &'s PodSpec, container: &str) -> Option<&'s SecurityContext> {
    let mut containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    containers.find(|known| known.name == container)?.security_context.as_ref()
}
