//! What the API server publishes of a custom kind's schema.

use serde_json::Value;

use super::Cluster;
use crate::error::Error;
use crate::model::schema::{self, Takes};

impl Cluster {
    /// Whether the API server has a kind of a group and version.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn serves(&self, api_version: &str, kind: &str) -> Result<bool, Error> {
        let path = format!("/apis/{api_version}");
        match self.get::<Value>(&path, &format!("ask for the kinds of {api_version}")).await {
            Ok(list) => {
                let resources = list["resources"].as_array().into_iter().flatten();
                Ok(resources.into_iter().any(|resource| resource["kind"] == kind))
            }
            Err(refusal) if refusal.code == Some(404) => Ok(false),
            Err(refusal) => Err(refusal.error),
        }
    }

    /// Where a custom kind takes pods and security contexts; nothing where the server does not know
    /// it or says nothing.
    pub async fn takes(&self, api_version: &str, kind: &str) -> Vec<Takes> {
        let Some((group, _)) = api_version.split_once('/') else { return Vec::new() };
        let path = format!("/openapi/v3/apis/{api_version}");
        let document = self.get::<Value>(&path, "read the schema of a custom kind").await;
        document.map(|document| schema::takes(&document, group, kind)).unwrap_or_default()
    }
}
