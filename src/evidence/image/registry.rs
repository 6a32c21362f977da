//! Images in a registry, by the protocol of the OCI distribution specification.

use std::io::{self, Read};
use std::time::Duration;

use docker_credential::DockerCredential;
use futures::StreamExt as _;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, ParseError, Reference, RegistryOperation};
use tokio::runtime::Handle;

use super::digest::Digest;

const CONNECT: Duration = Duration::from_secs(30);
/// Without a byte.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// What Docker's own configuration calls its registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// The registry of a reference that names none.
const DOCKER_IO: &str = "docker.io";
const MAX_REPOSITORY: usize = 255;
const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// How to reach registries.
#[derive(Debug, Clone, Default)]
pub struct RegistryAccess {
    /// Registries spoken to in plain HTTP, as `host:port`.
    pub plain_http: Vec<String>,
    /// Asked instead of the registry that a reference names, as `host[:port]`.
    pub mirror: Option<String>,
    /// Docker configurations to look for credentials in before the user's own: the pull secrets of
    /// a pod, each the bytes of its `.dockerconfigjson`.
    pub pull_secrets: Vec<Vec<u8>>,
}

/// One repository of a registry.
pub(crate) struct Registry {
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
    handle: Handle,
}

impl Registry {
    /// Logs in. Must be called within a tokio runtime, and from a thread that may block.
    pub(crate) fn connect(reference: &str, access: &RegistryAccess) -> Result<Registry, String> {
        let mut reference: Reference = parse(reference)
            .map_err(|error| format!("{reference:?} is no image reference: {error}"))?;
        if let Some(mirror) = &access.mirror {
            reference.set_mirror_registry(mirror.clone());
        }
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(access.plain_http.clone()),
            connect_timeout: Some(CONNECT),
            read_timeout: Some(SILENCE_TIMEOUT),
            user_agent: concat!("kubectl-nonroot/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|error| error.to_string())?;
        let auth = credentials(&reference, access);
        let handle = Handle::current();
        // Asked for first, because the client takes a failure to log in during a pull for no need
        // to.
        handle
            .block_on(client.auth(&reference, &auth, RegistryOperation::Pull))
            .map_err(|error| refused(&error, &reference, &auth))?;
        Ok(Registry { client, reference, auth, handle })
    }

    /// The digest that the reference itself names.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.reference.digest().and_then(Digest::parse)
    }

    /// The manifest or index of the reference, or of a digest in its repository. Its digest is not
    /// checked here.
    pub(crate) fn manifest(&self, digest: Option<&Digest>) -> Result<Vec<u8>, String> {
        let reference = match digest {
            Some(digest) => self.reference.clone_with_digest(digest.to_string()),
            None => self.reference.clone(),
        };
        let pull = self.client.pull_manifest_raw(&reference, &self.auth, &ACCEPTED);
        let (bytes, _) = self
            .handle
            .block_on(pull)
            .map_err(|error| refused(&error, &self.reference, &self.auth))?;
        Ok(bytes.to_vec())
    }

    /// The bytes of a blob as they arrive.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<impl Read + Send + use<>, String> {
        let digest = digest.to_string();
        let pull = self.client.pull_blob_stream(&self.reference, digest.as_str());
        let response = self
            .handle
            .block_on(pull)
            .map_err(|error| refused(&error, &self.reference, &self.auth))?;
        // Fused, because the client's stream checks its digest anew, and wrongly, each time it is
        // asked after its end.
        Ok(Blob {
            handle: self.handle.clone(),
            stream: response.stream.fuse(),
            chunk: None,
            used: 0,
        })
    }
}

/// Reads a reference. The client's own parser makes a regular expression first, which takes longer
/// than all the rest of a second look at an image: it is asked only about what is not plain.
fn parse(text: &str) -> Result<Reference, ParseError> {
    plain(text).map_or_else(|| text.parse(), Ok)
}

/// A reference in which no two separators stand side by side, as the client's parser reads it;
/// `None` for all others.
fn plain(text: &str) -> Option<Reference> {
    let is_name = |name: &str| {
        let words = || name.split(['.', '_', '-']);
        words().all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let is_tag = |tag: &str| {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let all = tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'));
        all && tag.bytes().next().is_some_and(is_word) && tag.len() <= 128
    };
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(Digest::parse(digest)?.to_string())),
        None => (text, None),
    };
    let (name, tag) = match name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((name, tag)) => (name, Some(tag.to_owned())),
        None => (name, None),
    };
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (DOCKER_IO, name),
    };
    let is_host = match registry.split_once(':') {
        Some((host, port)) => is_name(host) && !host.contains('_') && is_port(port),
        None => is_name(registry) && registry != "index.docker.io",
    };
    let is_plain =
        is_host && repository.split('/').all(is_name) && tag.as_deref().is_none_or(is_tag);
    let official = if registry == DOCKER_IO && !repository.contains('/') { "library/" } else { "" };
    let (registry, repository) = (registry.to_owned(), format!("{official}{repository}"));
    (is_plain && repository.len() <= MAX_REPOSITORY).then(|| match (tag, digest) {
        (tag, None) => {
            Reference::with_tag(registry, repository, tag.unwrap_or_else(|| "latest".to_owned()))
        }
        (None, Some(digest)) => Reference::with_digest(registry, repository, digest),
        (Some(tag), Some(digest)) => {
            Reference::with_tag_and_digest(registry, repository, tag, digest)
        }
    })
}

/// An asynchronous stream for a thread that may block.
struct Blob<S, B> {
    handle: Handle,
    stream: S,
    chunk: Option<B>,
    /// Bytes of the chunk that were read.
    used: usize,
}

impl<S, B> Read for Blob<S, B>
where
    S: futures::Stream<Item = Result<B, io::Error>> + Unpin,
    B: AsRef<[u8]>,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let rest = self
                .chunk
                .as_ref()
                .and_then(|chunk| chunk.as_ref().get(self.used..))
                .unwrap_or_default();
            if !rest.is_empty() {
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                self.used += count;
                return Ok(count);
            }
            match self.handle.block_on(self.stream.next()) {
                Some(chunk) => (self.chunk, self.used) = (Some(chunk?), 0),
                None => return Ok(0),
            }
        }
    }
}

/// The first that fits: a pull secret, then the user's `config.json` with its helpers, then
/// podman's `auth.json`, then nobody.
fn credentials(reference: &Reference, access: &RegistryAccess) -> RegistryAuth {
    let server = match reference.registry() {
        "docker.io" => DOCKER_HUB,
        registry => registry,
    };
    let found = access
        .pull_secrets
        .iter()
        .filter_map(|secret| from_secret(secret, server))
        .next()
        .or_else(|| docker_credential::get_credential(server).ok())
        .or_else(|| docker_credential::get_podman_credential(reference.registry()).ok());
    match found {
        Some(DockerCredential::UsernamePassword(user, password)) => {
            RegistryAuth::Basic(user, password)
        }
        // An identity token takes an OAuth2 exchange that the client does not know.
        Some(DockerCredential::IdentityToken(_)) | None => RegistryAuth::Anonymous,
    }
}

/// Only `auths` of a pull secret counts: a helper that it names is a program that it would have us
/// start.
fn from_secret(secret: &[u8], server: &str) -> Option<DockerCredential> {
    let config: serde_json::Value = serde_json::from_slice(secret).ok()?;
    let auths = serde_json::json!({ "auths": config.get("auths")? }).to_string();
    docker_credential::get_credential_from_reader(auths.as_bytes(), server).ok()
}

/// The registry's refusal as the end of a sentence.
fn refused(error: &OciDistributionError, reference: &Reference, auth: &RegistryAuth) -> String {
    let registry = reference.resolve_registry();
    let denied = || match auth {
        RegistryAuth::Anonymous => {
            format!("{registry} demands a login, or the image does not exist there")
        }
        _ => format!(
            "{registry} refuses the login that is configured for it, or denies access to the image"
        ),
    };
    match error {
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_) => denied(),
        OciDistributionError::ServerError { code: 401 | 403, .. } => denied(),
        OciDistributionError::ServerError { code: 404, .. }
        | OciDistributionError::ImageManifestNotFoundError(_) => {
            format!("{registry} has no such image")
        }
        OciDistributionError::ServerError { code, .. } => {
            format!("{registry} answers with HTTP status {code}")
        }
        OciDistributionError::RegistryError { envelope, .. } => {
            use oci_client::errors::OciErrorCode::{
                BlobUnknown, Denied, ManifestUnknown, NameUnknown, NotFound, Toomanyrequests,
                Unauthorized,
            };
            match envelope.errors.first().map(|error| (&error.code, error.message.as_str())) {
                Some((ManifestUnknown | NameUnknown | NotFound, _)) => {
                    format!("{registry} has no such image or tag")
                }
                Some((BlobUnknown, _)) => format!("{registry} lacks a part of it"),
                Some((Unauthorized | Denied, _)) => denied(),
                Some((Toomanyrequests, _)) => {
                    format!("{registry} has had too many requests: log in, or try again later")
                }
                Some((_, message)) => format!("{registry} answers: {message}"),
                None => format!("{registry} refuses without a reason"),
            }
        }
        OciDistributionError::RequestError(error) => {
            let mut text = format!("no answer from {registry}: {error}");
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            text
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Nearly a reference.
    fn text() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "a",
            "b1",
            "localhost",
            "docker.io",
            "index.docker.io",
            "library",
            "x.y",
            "x_y",
            "x__y",
            "x-y",
            "A",
            "",
            "-",
            "80",
            "\u{e9}",
            "\u{212a}",
        ]);
        let separator = prop::sample::select(vec!["/", "/", ".", ":", "@", "", "-", "_"]);
        let digest = prop::sample::select(vec!["", "@sha256:", "@sha512:", "@sha384:", "@"]);
        let hex = prop::sample::select(vec![0, 40, 63, 64, 96, 128]);
        let parts = prop::collection::vec((word, separator), 1..7);
        (parts, word_of_length(), digest, hex).prop_map(|(parts, long, digest, hex)| {
            let name: String =
                parts.into_iter().flat_map(|(word, separator)| [word, separator]).collect();
            format!("{name}{long}{digest}{}", "f".repeat(hex))
        })
    }

    fn word_of_length() -> impl Strategy<Value = String> {
        prop::sample::select(vec![0, 0, 1, 128, 129, 255, 256])
            .prop_map(|length| "a".repeat(length))
    }

    proptest! {
        #[test]
        fn what_is_plain_is_read_as_the_client_reads_it(text in text()) {
            if let Some(reference) = plain(&text) {
                prop_assert_eq!(text.parse::<Reference>(), Ok(reference));
            }
        }
    }

    #[test]
    fn references_of_every_day_are_plain() {
        let digest = Digest::of(b"");
        for text in [
            "nginx",
            "nginx:1.29-alpine",
            "bitnami/redis",
            "ghcr.io/a/b_c/d-e:v1.2.3_4",
            "localhost:5000/x",
            "docker.io/nginx",
            &format!("quay.io/a/b:1@{digest}"),
            &format!("registry.k8s.io/pause@{digest}"),
        ] {
            assert_eq!(plain(text), text.parse().ok(), "{text}");
            assert!(plain(text).is_some(), "{text}");
        }
    }
}
