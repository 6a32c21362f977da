//! What the API server publishes of a custom kind's schema.

use serde_json::Value;

use super::Cluster;
use crate::model::schema::{self, Takes};

impl Cluster {
    /// Where a custom kind takes pods and security contexts; nothing where the server does not know
    /// it or says nothing.
    pub async fn takes(&self, api_version: &str, kind: &str) -> Vec<Takes> {
        let Some((group, _)) = api_version.split_once('/') else { return Vec::new() };
        let path = format!("/openapi/v3/apis/{api_version}");
        let document = self.get::<Value>(&path, "read the schema of a custom kind").await;
        document.map(|document| schema::takes(&document, group, kind)).unwrap_or_default()
    }
}
