//! Images made for a test: layers entry by entry, and the files that hold them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// A layer's tar in the making.
pub struct LayerTar(Builder<Vec<u8>>);

impl Default for LayerTar {
    fn default() -> Self {
        LayerTar(Builder::new(Vec::new()))
    }
}

impl LayerTar {
    fn entry(
        mut self,
        kind: EntryType,
        path: &str,
        mode: u32,
        owner: (u64, u64),
        link: &str,
        data: &[u8],
    ) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        header.set_size(data.len() as u64);
        if link.is_empty() {
            self.0.append_data(&mut header, path, data).unwrap();
        } else {
            self.0.append_link(&mut header, path, link).unwrap();
        }
        self
    }

    pub fn file(self, path: &str, mode: u32, owner: (u64, u64), data: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, mode, owner, "", data)
    }

    pub fn directory(self, path: &str, mode: u32, owner: (u64, u64)) -> Self {
        self.entry(EntryType::Directory, path, mode, owner, "", b"")
    }

    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, 0o777, (0, 0), target, b"")
    }

    pub fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, 0o644, (0, 0), target, b"")
    }

    pub fn whiteout(self, path: &str) -> Self {
        self.entry(EntryType::Regular, path, 0, (0, 0), "", b"")
    }

    /// PAX records for the entry that follows.
    pub fn records(mut self, records: &[(&str, &[u8])]) -> Self {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    /// An entry whose header says whatever it says.
    pub fn header(mut self, header: &Header, data: &[u8]) -> Self {
        self.0.append(header, data).unwrap();
        self
    }

    pub fn build(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

pub fn digest(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// The configuration of an image whose layers are these tars, each made by the instruction beside
/// it.
pub fn config(run: serde_json::Value, layers: &[Vec<u8>], instructions: &[&str]) -> Vec<u8> {
    let history: Vec<_> = instructions
        .iter()
        .flat_map(|by| {
            [
                serde_json::json!({ "created_by": "/bin/sh -c #(nop)  ENV A=1", "empty_layer": true }),
                serde_json::json!({ "created_by": by }),
            ]
        })
        .collect();
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
    serde_json::to_vec(&serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": run, "history": history,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    }))
    .unwrap()
}

fn append(tar: &mut Builder<Vec<u8>>, name: &str, data: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, data).unwrap();
}

/// What `docker save` wrote before version 25.
pub fn docker_archive(config: &[u8], layers: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    let names: Vec<String> = (0..layers.len()).map(|i| format!("{i}/layer.tar")).collect();
    for (name, layer) in names.iter().zip(layers) {
        append(&mut tar, name, layer);
    }
    let config_name = format!("{}.json", digest(config).trim_start_matches("sha256:"));
    append(&mut tar, &config_name, config);
    let manifest =
        serde_json::json!([{ "Config": config_name, "RepoTags": ["test/web:1"], "Layers": names }]);
    append(&mut tar, "manifest.json", manifest.to_string().as_bytes());
    tar.into_inner().unwrap()
}

/// The blobs of an image, and its manifest's descriptor.
pub fn oci(config: &[u8], layers: &[Vec<u8>]) -> (Vec<(String, Vec<u8>)>, serde_json::Value) {
    let descriptor = |kind: &str, bytes: &[u8]| serde_json::json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest(bytes), "size": bytes.len() });
    let manifest = serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", config),
        "layers": layers.iter().map(|layer| descriptor("layer.v1.tar", layer)).collect::<Vec<_>>(),
    }))
    .unwrap();
    let described = descriptor("manifest.v1+json", &manifest);
    let blobs = layers.iter().cloned().chain([config.to_vec(), manifest]);
    (blobs.map(|blob| (digest(&blob).replace(':', "/"), blob)).collect(), described)
}

pub fn index(manifests: &[serde_json::Value]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({ "schemaVersion": 2, "manifests": manifests })).unwrap()
}

pub fn write_layout(directory: &Path, blobs: &[(String, Vec<u8>)], index: &[u8]) {
    for (name, blob) in blobs {
        let path = directory.join("blobs").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, blob).unwrap();
    }
    std::fs::write(directory.join("index.json"), index).unwrap();
    std::fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

pub fn oci_archive(blobs: &[(String, Vec<u8>)], index: &[u8]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    append(&mut tar, "index.json", index);
    for (name, blob) in blobs {
        append(&mut tar, &format!("blobs/{name}"), blob);
    }
    tar.into_inner().unwrap()
}

pub fn save(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
