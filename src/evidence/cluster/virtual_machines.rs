//! KubeVirt's virtual machines, where the cluster has them.

use std::collections::BTreeSet;

use kube::api::ListParams;
use serde_json::Value;

use super::Cluster;
use super::list::Encoding;
use super::scope::collection;
use crate::error::{Error, Partial};
use crate::model::virtual_machine::{
    GROUP, INSTANCE, Instance, KubeVirtConfiguration, VirtualMachines,
};
use crate::model::workload::Workload;

impl Cluster {
    /// The virtual machines among some workloads; nothing is asked where none of them is one. The
    /// version of the API is the one that the server prefers. Who may not read KubeVirt's
    /// configuration, which belongs to its own namespace, does not learn what decides, and
    /// nothing else.
    pub async fn virtual_machines(&self, workloads: &[Workload]) -> Partial<VirtualMachines> {
        let mut read = Partial::clean(VirtualMachines::default());
        let is_instance = |workload: &&Workload| {
            workload.kind == INSTANCE
                && workload.api_version.split_once('/').is_some_and(|(group, _)| group == GROUP)
        };
        let instances = workloads.iter().filter(is_instance);
        let namespaces: BTreeSet<&str> =
            instances.filter_map(|workload| workload.namespace.as_deref()).collect();
        if namespaces.is_empty() {
            return read;
        }
        let path = format!("/apis/{GROUP}");
        let preferred = match self.get::<Value>(&path, "discover the API of KubeVirt").await {
            Ok(group) => group
                .pointer("/preferredVersion/groupVersion")
                .and_then(Value::as_str)
                .map(str::to_owned),
            // What is left of its pods outlives it.
            Err(refusal) if refusal.code == Some(404) => None,
            Err(refusal) => {
                read.errors.push(refusal.error);
                None
            }
        };
        let Some(preferred) = preferred else { return read };
        let api = format!("/apis/{preferred}");
        for namespace in namespaces {
            let path = collection(&api, "virtualmachineinstances", Some(namespace));
            let what = format!("list VirtualMachineInstances in namespace {namespace}");
            let found = &mut read.value.instances;
            let take = |object: Value| found.push(Instance::of(&object));
            if let Err(refusal) =
                self.list(&path, &ListParams::default(), &what, &Encoding::JSON, take).await
            {
                read.errors.push(Error::help(
                    refusal.error,
                    "whom its virt-launchers run as is known from their pods alone",
                ));
            }
        }
        let configurations = &mut read.value.configuration;
        let take = |object: Value| *configurations = Some(KubeVirtConfiguration::of(&object));
        let listed = self
            .list(
                &format!("{api}/kubevirts"),
                &ListParams::default(),
                "list KubeVirts",
                &Encoding::JSON,
                take,
            )
            .await;
        if let Err(refusal) = listed
            && !refusal.is_forbidden()
        {
            read.errors.push(refusal.error);
        }
        read
    }
}
