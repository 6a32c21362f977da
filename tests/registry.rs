//! Pulls from a real registry: Debian's docker-registry, started by the test on a free port.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// Each test uses its part of it.
#[allow(dead_code, unreachable_pub)]
#[path = "image/build.rs"]
mod build;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use build::{LayerTar, config, digest, gzip, oci};
use nonroot::error::{Class, Error};
use nonroot::evidence::image::{Cache, ReadOptions, RegistryAccess, Source, read};
use nonroot::model::image::Image;

/// `tester:secret`, as htpasswd -B writes it.
const HTPASSWD: &str = "tester:$2y$05$NZRQqKGUNbwLdl70jrewpuO8aBIMAxZ48Y9KBSfTs03LtAvwcX64u\n";

struct Registry {
    process: Child,
    address: String,
    storage: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Registry {
    fn start(htpasswd: Option<&str>) -> Registry {
        let storage = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut yaml = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}'}}\n",
            storage.path().join("data").display()
        );
        if let Some(htpasswd) = htpasswd {
            let file = storage.path().join("htpasswd");
            std::fs::write(&file, htpasswd).unwrap();
            yaml.push_str(&format!(
                "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
                file.display()
            ));
        }
        let file = storage.path().join("config.yml");
        std::fs::write(&file, yaml).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("needs docker-registry");
        let registry = Registry { process, address, storage };
        let patience = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(&registry.address).is_err() {
            assert!(Instant::now() < patience, "docker-registry does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        registry
    }

    /// One HTTP/1.0 request; the status and the Location header of the answer.
    fn request(&self, method: &str, target: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let credentials = "dGVzdGVyOnNlY3JldA==";
        let head = format!(
            "{method} {target} HTTP/1.0\r\nHost: {}\r\nAuthorization: Basic {credentials}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let location =
            answer.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default();
        (status, location.trim().to_owned())
    }

    fn push(&self, config: &[u8], layers: &[Vec<u8>]) {
        let (blobs, manifest) = oci(config, layers);
        for (_, blob) in &blobs {
            let digest = digest(blob);
            if manifest["digest"] == digest.as_str() {
                let (status, _) = self.request(
                    "PUT",
                    "/v2/team/web/manifests/1",
                    "application/vnd.oci.image.manifest.v1+json",
                    blob,
                );
                assert_eq!(status, 201);
                continue;
            }
            let (status, location) = self.request("POST", "/v2/team/web/blobs/uploads/", "", b"");
            assert_eq!(status, 202);
            let target =
                location.split_once(&self.address).map_or(location.as_str(), |(_, target)| target);
            let (status, _) = self.request(
                "PUT",
                &format!("{target}&digest={digest}"),
                "application/octet-stream",
                blob,
            );
            assert_eq!(status, 201);
        }
    }

    /// Damages a blob behind the registry's back.
    fn damage(&self, blob: &[u8]) {
        let hex = digest(blob).trim_start_matches("sha256:").to_owned();
        let path = self
            .storage
            .path()
            .join("data/docker/registry/v2/blobs/sha256")
            .join(&hex[..2])
            .join(&hex)
            .join("data");
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    async fn pull(
        &self,
        name: &str,
        secret: Option<(&str, &str)>,
        cache: Option<&Path>,
    ) -> Result<Image, Error> {
        let reference = format!("{}/{name}", self.address);
        let pull_secrets = secret.map(|(user, password)| {
            let auth = serde_json::json!({ "username": user, "password": password });
            serde_json::json!({ "auths": { &self.address: auth }, "credsStore": "never-started" })
                .to_string()
                .into_bytes()
        });
        let options = ReadOptions {
            access: RegistryAccess {
                plain_http: vec![self.address.clone()],
                mirror: None,
                pull_secrets: pull_secrets.into_iter().collect(),
            },
            platform: Some("linux/amd64".to_owned()),
            cache: cache.map(|directory| Cache::new(directory.to_owned(), 1 << 30)),
            ..ReadOptions::default()
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        read(&reference, Source::Registry(reference.clone()), options).await
    }

    fn said(&self, result: Result<Image, Error>) -> String {
        let error = result.expect_err("a refusal");
        assert_eq!(error.class, Class::Remote);
        error.to_string().replace(&self.address, "REGISTRY")
    }
}

fn image() -> (Vec<u8>, Vec<Vec<u8>>) {
    let random: Vec<u8> =
        (0..200_000u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let layers = [
        LayerTar::default().file("etc/passwd", 0o644, (0, 0), b"web:x:5:6::/:/bin/sh\n").file(
            "data",
            0o600,
            (5, 6),
            &random,
        ),
        LayerTar::default().whiteout(".wh.data"),
    ]
    .map(LayerTar::build);
    let run = serde_json::json!({ "User": "web" });
    (
        config(run, &layers, &["ADD . /", "RUN rm /data"]),
        layers.iter().map(|layer| gzip(layer)).collect(),
    )
}

#[tokio::test]
#[ignore = "needs docker-registry"]
async fn an_image_is_pulled_and_kept() {
    let registry = Registry::start(None);
    let (config, layers) = image();
    registry.push(&config, &layers);
    let cache = tempfile::tempdir().unwrap();
    let pulled = registry.pull("team/web:1", None, Some(cache.path())).await.unwrap();
    assert_eq!(pulled.user().unwrap().uid, 5);
    assert_eq!(pulled.layers.len(), 2);
    assert_eq!(pulled.layers[0].digest, digest(&layers[0]));

    let by_digest = format!("team/web@{}", pulled.digest.as_deref().unwrap());
    for (_, blob) in oci(&config, &layers).0.iter().filter(|(_, blob)| blob.len() > 2000) {
        registry.damage(blob);
    }
    let kept =
        registry.pull(&by_digest, None, Some(cache.path())).await.expect("the cache has all of it");
    assert_eq!(kept.digest, pulled.digest);
    assert_eq!(kept.layers, pulled.layers);
    // What was read of the layers is there, and their blobs are not needed.
    let blobs = cache.path().join("blobs");
    for layer in &layers {
        std::fs::rename(
            blobs.join(digest(layer).replace(':', "/")),
            cache.path().join(&digest(layer)[7..]),
        )
        .unwrap();
    }
    let kept = registry
        .pull(&by_digest, None, Some(cache.path()))
        .await
        .expect("the cache has what was read");
    assert_eq!(
        (kept.layers, kept.efficiency, kept.accounts),
        (pulled.layers, pulled.efficiency, pulled.accounts)
    );
    // A damaged blob in the cache is pulled again, here to find that the registry's is damaged as
    // well.
    let hex = digest(&layers[0]).replace(':', "/");
    std::fs::remove_dir_all(cache.path().join("indexes")).unwrap();
    std::fs::write(blobs.join(&hex), b"damaged").unwrap();
    registry.said(registry.pull(&by_digest, None, Some(cache.path())).await);
    assert!(!blobs.join(&hex).exists(), "nothing wrong is kept");
}

#[tokio::test]
#[ignore = "needs docker-registry"]
async fn a_registry_with_a_login_wants_the_right_one() {
    let registry = Registry::start(Some(HTPASSWD));
    let (config, layers) = image();
    registry.push(&config, &layers);
    let pulled = registry.pull("team/web:1", Some(("tester", "secret")), None).await.unwrap();
    assert_eq!(pulled.user().unwrap().uid, 5);
    let wrong = registry.said(registry.pull("team/web:1", Some(("tester", "wrong")), None).await);
    assert_eq!(
        wrong,
        "cannot read image REGISTRY/team/web:1: REGISTRY refuses the login that is configured for it, or denies access to the image"
    );
    let none = registry.said(registry.pull("team/web:1", None, None).await);
    assert_eq!(
        none,
        "cannot read image REGISTRY/team/web:1: REGISTRY demands a login, or the image does not exist there"
    );
}

#[tokio::test]
#[ignore = "needs docker-registry"]
async fn what_a_registry_lacks_or_spoils_is_said() {
    let registry = Registry::start(None);
    let (config, layers) = image();
    registry.push(&config, &layers);
    let missing = registry.said(registry.pull("team/web:2", None, None).await);
    assert_eq!(missing, "cannot read image REGISTRY/team/web:2: REGISTRY has no such image or tag");
    let missing = registry.said(registry.pull("nobody/none:1", None, None).await);
    assert_eq!(
        missing,
        "cannot read image REGISTRY/nobody/none:1: REGISTRY has no such image or tag"
    );

    registry.damage(&layers[0]);
    let spoilt = registry.said(registry.pull("team/web:1", None, None).await);
    assert!(
        spoilt.starts_with(&format!(
            "cannot read image REGISTRY/team/web:1: layer 0 ({}): ",
            digest(&layers[0])
        )),
        "{spoilt}"
    );
}

/// `security.capability` of `cap_net_bind_service=ep`.
const NET_BIND_SERVICE: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
#[ignore = "needs docker-registry"]
fn a_manifest_and_its_image_make_a_plan() {
    let registry = Registry::start(None);
    let layer = LayerTar::default()
        .file(
            "etc/passwd",
            0o644,
            (0, 0),
            b"root:x:0:0::/root:/bin/sh\nweb:x:101:102::/data:/bin/sh\n",
        )
        .directory("data/", 0o755, (0, 0))
        .file("data/seed", 0o644, (0, 0), b"1")
        .directory("spool/", 0o755, (101, 102))
        .records(&[("SCHILY.xattr.security.capability", NET_BIND_SERVICE.as_slice())])
        .file("bin/web", 0o755, (0, 0), b"\x7fELF")
        .file("bin/sh", 0o755, (0, 0), b"\x7fELF")
        .file("bin/cp", 0o755, (0, 0), b"\x7fELF")
        .file("bin/mkdir", 0o755, (0, 0), b"\x7fELF")
        .build();
    let run = serde_json::json!({
        "Entrypoint": ["web"], "Env": ["PATH=/bin"], "Volumes": { "/data": {}, "/spool": {} },
        "ExposedPorts": { "80/tcp": {} },
    });
    registry.push(&config(run, std::slice::from_ref(&layer), &["ADD . /"]), &[gzip(&layer)]);
    let image = format!("{}/team/web:1", registry.address);
    let manifest = registry.storage.path().join("web.yaml");
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{containers: [{{name: a, image: '{image}'}}]}}\n"
    );
    std::fs::write(&manifest, pod).unwrap();
    let nonroot = |more: &[&str]| {
        let run = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"))
            .env("KUBECONFIG", "/nonexistent")
            .env_remove("NONROOT_OFFLINE")
            .args([
                "fix",
                "--yes",
                "-o",
                "json",
                "--images",
                "--no-image-cache",
                "-f",
                manifest.to_str().unwrap(),
            ])
            .args(more)
            .output()
            .unwrap();
        let fix: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        (run.status.code(), fix)
    };
    let (code, fix) = nonroot(&["--plain-http", &registry.address]);
    assert_eq!(code, Some(0));
    let spec = &fix["patch"]["spec"];
    assert_eq!(
        (&spec["securityContext"]["runAsUser"], &spec["securityContext"]["runAsGroup"]),
        (&101.into(), &102.into())
    );
    let sysctl =
        serde_json::json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]);
    assert_eq!(spec["securityContext"]["sysctls"], sysctl);
    let added = serde_json::json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]});
    assert_eq!(spec["containers"][0]["securityContext"]["capabilities"], added);
    // What ships content is filled, and what its user may write already stays.
    let mounts = spec["containers"][0]["volumeMounts"].as_array().unwrap();
    assert_eq!(mounts.iter().map(|mount| &mount["mountPath"]).collect::<Vec<_>>(), ["/data"]);
    assert_eq!(spec["initContainers"][0]["image"], image.as_str());

    // Spoken to over TLS the registry does not answer: the plan is made without.
    let (code, fix) = nonroot(&[]);
    assert_eq!(code, Some(0));
    assert!(
        fix["warnings"][0].as_str().unwrap().contains("cannot read image"),
        "{}",
        fix["warnings"]
    );
    assert_eq!(fix["patch"]["spec"]["initContainers"], serde_json::Value::Null);
}

#[test]
#[ignore = "needs docker-registry"]
fn a_plan_asks_the_image_for_its_user() {
    let registry = Registry::start(None);
    let layer = LayerTar::default()
        .file("etc/passwd", 0o644, (0, 0), b"root:x:0:0::/root:/bin/sh\nweb:x:101:102::/:/bin/sh\n")
        .build();
    let image = format!("{}/team/web:1", registry.address);
    let manifest = registry.storage.path().join("web.yaml");
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{containers: [{{name: a, image: '{image}'}}]}}\n"
    );
    std::fs::write(&manifest, pod).unwrap();
    let planned = |more: &[&str]| {
        let run = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"))
            .env("KUBECONFIG", "/nonexistent")
            .env_remove("NONROOT_OFFLINE")
            .args([
                "fix",
                "--yes",
                "-o",
                "json",
                "--no-image-cache",
                "-f",
                manifest.to_str().unwrap(),
            ])
            .args(["--plain-http", &registry.address])
            .args(more)
            .output()
            .unwrap();
        let fix: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(fix["patch"]["spec"]["securityContext"]["runAsNonRoot"], true);
        (
            fix["patch"]["spec"]["securityContext"]["runAsUser"].as_u64(),
            fix["plan"]["identity"]["assignment"].clone(),
        )
    };
    for (user, more, uid, assignment) in [
        // A number other than root is all that runAsNonRoot wants to see.
        ("999", [].as_slice(), None, "kept"),
        ("999:0", &[], None, "kept"),
        // A name is none, and its number is in the layers.
        ("web", &[], Some(1000), "guess"),
        ("web", &["--images"], Some(101), "set"),
        ("", &[], Some(1000), "guess"),
        ("0", &["--images"], Some(101), "set"),
        ("999", &["--offline"], Some(1000), "guess"),
    ] {
        let run = serde_json::json!({ "User": user });
        registry.push(&config(run, std::slice::from_ref(&layer), &["ADD . /"]), &[gzip(&layer)]);
        assert_eq!(planned(more), (uid, assignment.into()), "USER {user} {more:?}");
    }
}

#[test]
fn a_registry_that_does_not_answer_is_said_and_not_waited_for() {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    let container = |n: u8| format!("{{name: c{n}, image: '{address}/web:{n}'}}");
    let containers = (0..20).map(container).collect::<Vec<_>>().join(", ");
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{containers: [{containers}]}}\n"
    );
    std::fs::write(file.path(), pod).unwrap();
    let begin = Instant::now();
    let run = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"))
        .env("KUBECONFIG", "/nonexistent")
        .env_remove("NONROOT_OFFLINE")
        .args(["fix", "-o", "json", "--no-image-cache", "--plain-http", &address, "-f"])
        .arg(file.path())
        .output()
        .unwrap();
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert_eq!(run.status.code(), Some(0));
    let fix: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let late = |warning: &serde_json::Value| {
        warning.as_str().unwrap().contains("no answer came within 5 s")
    };
    assert!(fix["warnings"].as_array().unwrap().iter().any(late), "{}", fix["warnings"]);
}

#[tokio::test]
async fn nobody_answers_at_all() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let _ = rustls::crypto::ring::default_provider().install_default();
    for (reference, why) in [
        (format!("{address}/web:1"), format!("no answer from {address}: ")),
        ("Not A Reference".to_owned(), "\"Not A Reference\" is no image reference: ".to_owned()),
    ] {
        let options = ReadOptions {
            access: RegistryAccess {
                plain_http: vec![address.clone()],
                ..RegistryAccess::default()
            },
            ..ReadOptions::default()
        };
        let error = read(&reference, Source::Registry(reference.clone()), options)
            .await
            .expect_err("no image");
        assert!(
            error.to_string().starts_with(&format!("cannot read image {reference}: {why}")),
            "{error}"
        );
    }
}
