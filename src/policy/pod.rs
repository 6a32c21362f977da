//! A pod as the checks read it: with all its containers in one list.

use k8s_openapi::api::core::v1::{
    Container as AppContainer, ContainerPort, EphemeralContainer, Lifecycle, PodSecurityContext,
    PodSpec, Probe, SecurityContext,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub(super) struct Pod<'a> {
    pub(super) metadata: &'a ObjectMeta,
    pub(super) spec: &'a PodSpec,
    /// Init containers, containers, ephemeral containers: the order in which upstream's
    /// `visitContainers` names them.
    pub(super) containers: Vec<Container<'a>>,
}

/// What an init, an ordinary and an ephemeral container have in common.
pub(super) struct Container<'a> {
    list: &'static str,
    index: usize,
    pub(super) name: &'a str,
    pub(super) ports: &'a [ContainerPort],
    pub(super) liveness_probe: Option<&'a Probe>,
    pub(super) readiness_probe: Option<&'a Probe>,
    pub(super) startup_probe: Option<&'a Probe>,
    pub(super) lifecycle: Option<&'a Lifecycle>,
    security_context: Option<&'a SecurityContext>,
}

impl<'a> Pod<'a> {
    pub(super) fn new(metadata: &'a ObjectMeta, spec: &'a PodSpec) -> Pod<'a> {
        let init = spec.init_containers.iter().flatten().enumerate();
        let ephemeral = spec.ephemeral_containers.iter().flatten().enumerate();
        let containers = init
            .map(|(index, container)| Container::new("initContainers", index, container))
            .chain(
                spec.containers
                    .iter()
                    .enumerate()
                    .map(|(index, c)| Container::new("containers", index, c)),
            )
            .chain(ephemeral.map(|(index, container)| Container::ephemeral(index, container)))
            .collect();
        Pod { metadata, spec, containers }
    }

    /// A field of the pod's own securityContext.
    pub(super) fn security<T>(
        &self,
        field: impl FnOnce(&'a PodSecurityContext) -> Option<T>,
    ) -> Option<T> {
        self.spec.security_context.as_ref().and_then(field)
    }

    pub(super) fn containers_where(
        &self,
        bad: impl Fn(&Container<'a>) -> bool,
    ) -> Vec<&Container<'a>> {
        self.containers.iter().filter(|container| bad(container)).collect()
    }

    /// Whether `spec.os` says Windows, where Linux' security fields must not be set at all.
    pub(super) fn is_windows(&self) -> bool {
        self.spec.os.as_ref().is_some_and(|os| os.name == "windows")
    }

    /// Whether the pod has a user namespace of its own, in which root is nobody on the host
    /// (KEP-127).
    pub(super) fn in_user_namespace(&self) -> bool {
        self.spec.host_users == Some(false)
    }
}

impl<'a> Container<'a> {
    fn new(list: &'static str, index: usize, container: &'a AppContainer) -> Container<'a> {
        Container {
            list,
            index,
            name: &container.name,
            ports: container.ports.as_deref().unwrap_or_default(),
            liveness_probe: container.liveness_probe.as_ref(),
            readiness_probe: container.readiness_probe.as_ref(),
            startup_probe: container.startup_probe.as_ref(),
            lifecycle: container.lifecycle.as_ref(),
            security_context: container.security_context.as_ref(),
        }
    }

    fn ephemeral(index: usize, container: &'a EphemeralContainer) -> Container<'a> {
        Container {
            list: "ephemeralContainers",
            index,
            name: &container.name,
            ports: container.ports.as_deref().unwrap_or_default(),
            liveness_probe: container.liveness_probe.as_ref(),
            readiness_probe: container.readiness_probe.as_ref(),
            startup_probe: container.startup_probe.as_ref(),
            lifecycle: container.lifecycle.as_ref(),
            security_context: container.security_context.as_ref(),
        }
    }

    /// A field of the container's securityContext.
    pub(super) fn security<T>(
        &self,
        field: impl FnOnce(&'a SecurityContext) -> Option<T>,
    ) -> Option<T> {
        self.security_context.and_then(field)
    }

    /// The path of one of its fields in the pod template.
    pub(super) fn path(&self, field: &str) -> String {
        format!("spec.{}[{}].{field}", self.list, self.index)
    }
}
