//! Names alone, for completion: one small answer, asked for once.

use kube::api::{DynamicObject, ListParams, PartialObjectMeta};
use kube::core::{ObjectList, Request};

use super::Cluster;
use super::list::PAGE;
use super::workloads::collection_of;
use crate::error::Error;

impl Cluster {
    /// The names of the objects of a built-in kind in a namespace, of the first page of them.
    ///
    /// # Errors
    /// An unknown kind, no permission, no answer.
    pub async fn names(&self, kind: &str, namespace: &str) -> Result<Vec<String>, Error> {
        let what = format!("list each {kind} of namespace {namespace}");
        let path = collection_of(kind, namespace)
            .ok_or_else(|| Error::input(&what, "it is no built-in kind"))?;
        self.names_at(&path, &what).await
    }

    /// The names of the namespaces, of the first page of them.
    ///
    /// # Errors
    /// No permission, no answer.
    pub async fn namespace_names(&self) -> Result<Vec<String>, Error> {
        self.names_at("/api/v1/namespaces", "list namespaces").await
    }

    /// The names of a workload's containers, init containers last; none for a kind that is not
    /// built in.
    ///
    /// # Errors
    /// No such object, no permission, no answer.
    pub async fn container_names(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Vec<String>, Error> {
        const PLACES: [&str; 3] =
            ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec", "/spec"];
        let Some(object) = self.object(kind, namespace, name).await? else { return Ok(Vec::new()) };
        let spec = PLACES
            .iter()
            .find_map(|place| object.pointer(place).filter(|spec| spec["containers"].is_array()));
        let lists = ["containers", "initContainers"]
            .map(|list| spec.and_then(|spec| spec[list].as_array()));
        let containers = lists.into_iter().flatten().flatten();
        Ok(containers
            .filter_map(|container| container["name"].as_str().map(str::to_owned))
            .collect())
    }

    async fn names_at(&self, path: &str, what: &str) -> Result<Vec<String>, Error> {
        let params = ListParams::default().limit(PAGE);
        let ask = || async {
            let request =
                Request::new(path).list_metadata(&params).map_err(kube::Error::BuildRequest)?;
            self.client.request::<ObjectList<PartialObjectMeta<DynamicObject>>>(request).await
        };
        let list = ask().await.map_err(|error| self.refusal(what, &error).error)?;
        Ok(list.items.into_iter().filter_map(|object| object.metadata.name).collect())
    }
}
