//! A release as its Secret has it: Helm's own record, in gzip and base64.

use std::io::Read as _;

use flate2::read::GzDecoder;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::archive::{ChartFiles, is_inside};
use crate::error::Error;

/// The most bytes of a release: a Secret has at most 1 MiB, and text packs well.
const MAX_BYTES: u64 = 64 << 20;

/// What a release was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct HelmRelease {
    pub name: String,
    pub namespace: String,
    pub version: u64,
    pub(super) files: ChartFiles,
    /// The values that its user gave.
    pub config: Value,
    /// Charts that it had below it: Helm keeps none of them with a release.
    pub lost: Vec<String>,
}

impl HelmRelease {
    /// Reads the field `release` of a Secret.
    ///
    /// # Errors
    /// It is not what Helm writes.
    pub fn decode(data: &[u8]) -> Result<HelmRelease, Error> {
        let fail = |why: &str| Error::remote("read the Secret of a Helm release", why.to_owned());
        let text = std::str::from_utf8(data).map_err(|_| fail("it is no base64"))?;
        let packed = decoded(&json!(text)).ok_or_else(|| fail("it is no base64"))?;
        let mut bytes = Vec::new();
        // Helm 2 packed nothing.
        if packed.starts_with(&[0x1f, 0x8b]) {
            let mut unpacked = GzDecoder::new(packed.as_slice()).take(MAX_BYTES + 1);
            unpacked.read_to_end(&mut bytes).map_err(|_| fail("it is no gzip"))?;
        } else {
            bytes = packed;
        }
        if bytes.len() as u64 > MAX_BYTES {
            return Err(fail("it is larger than a release may be"));
        }
        let release: Value = serde_json::from_slice(&bytes).map_err(|_| fail("it is no JSON"))?;
        HelmRelease::of(&release).ok_or_else(|| fail("it has no chart"))
    }

    fn of(release: &Value) -> Option<HelmRelease> {
        let chart = &release["chart"];
        let mut metadata = chart["metadata"].as_object()?.clone();
        // Their charts are not there, and helm would ask for them.
        let dependencies = metadata.shift_remove("dependencies").unwrap_or_default();
        let lost = dependencies.as_array().into_iter().flatten();
        let lost = lost.filter_map(|one| Some(one["name"].as_str()?.to_owned())).collect();
        let mut files = ChartFiles::new();
        for list in ["templates", "files"] {
            for file in chart[list].as_array().into_iter().flatten() {
                let Some(name) = file["name"].as_str().filter(|name| is_inside(name)) else {
                    continue;
                };
                files.insert(name.to_owned(), decoded(&file["data"]).unwrap_or_default());
            }
        }
        files.retain(|name, _| name != "requirements.yaml" && name != "Chart.lock");
        files.insert("Chart.yaml".to_owned(), Value::Object(metadata).to_string().into_bytes());
        files.insert("values.yaml".to_owned(), chart["values"].to_string().into_bytes());
        if let Some(schema) = decoded(&chart["schema"]).filter(|schema| !schema.is_empty()) {
            files.insert("values.schema.json".to_owned(), schema);
        }
        let config = Some(release["config"].clone()).filter(Value::is_object);
        Some(HelmRelease {
            name: release["name"].as_str()?.to_owned(),
            namespace: release["namespace"].as_str().unwrap_or_default().to_owned(),
            version: release["version"].as_u64().unwrap_or_default(),
            files,
            config: config.unwrap_or_else(|| json!({})),
            lost,
        })
    }
}

fn decoded(text: &Value) -> Option<Vec<u8>> {
    let bytes: ByteString = serde_json::from_value(text.clone()).ok()?;
    Some(bytes.0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn encoded(release: &Value) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(release.to_string().as_bytes()).expect("bytes");
        let text = serde_json::to_value(ByteString(packed.finish().expect("gzip"))).expect("text");
        text.as_str().expect("text").as_bytes().to_vec()
    }

    #[test]
    fn a_release_is_read_and_its_names_are_not_trusted() {
        let data = |text: &str| serde_json::to_value(ByteString(text.into())).expect("text");
        let release = json!({"name": "shop", "namespace": "n", "version": 3, "config": {"a": 1}, "chart": {
            "metadata": {"name": "c", "version": "1.0.0", "apiVersion": "v2", "dependencies": [{"name": "db"}]},
            "values": {"b": 2}, "schema": "",
            "templates": [{"name": "templates/a.yaml", "data": data("x")}, {"name": "../../etc/x", "data": data("y")}],
        }});
        let read = HelmRelease::decode(&encoded(&release)).expect("a release");
        assert_eq!(
            (read.name.as_str(), read.version, read.lost),
            ("shop", 3, vec!["db".to_owned()])
        );
        let names: Vec<_> = read.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["Chart.yaml", "templates/a.yaml", "values.yaml"]);
        assert_eq!(read.config, json!({"a": 1}));
    }

    #[test]
    fn what_is_no_release_is_an_error() {
        for data in [&b"???"[..], b"aGVsbG8=", b"", b"H4sI"] {
            assert!(HelmRelease::decode(data).is_err());
        }
        assert!(HelmRelease::decode(&encoded(&json!({"name": "x"}))).is_err());
    }
}
