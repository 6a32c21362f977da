//! What the ports of a copy answer, asked through the API server.
//!
//! Only copies are asked, never the workload or a Service. The kubelet connects to the pod's own
//! loopback, so that no network policy stands between.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::Portforwarder;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::dns;
use crate::evidence::cluster::innermost;
use crate::model::behaviour::{AfterGreeting, Reply, Request, RequestKind};
use crate::model::check::Method;

/// How long an answer may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server that speaks first may take to begin.
const BANNER_TIMEOUT: Duration = Duration::from_millis(500);

/// How long it may take to go on.
const NEXT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest greeting that is said back, in bytes.
const MAX_BANNER: usize = 512;

/// The longest first word of a server that is kept, in characters.
const MAX_WORD: usize = 32;

/// Bytes of the body that is sent without being asked for: more than servers hold in memory before
/// they write it to a file (nginx: 16 KiB, Apache and PHP: some 64 KiB).
const BODY: u64 = 128 << 10;

/// The most of an answer that is read, in bytes.
const MAX_REPLY: u64 = 16 << 20;

/// The ports of one copy.
pub(super) struct Ports {
    pub(super) pods: Api<Pod>,
    pub(super) pod: String,
}

impl Ports {
    /// What a request gets.
    pub(super) async fn ask(&self, request: &Request) -> Reply {
        let asked = async {
            match &request.kind {
                RequestKind::Connect => self.connected(request.port).await,
                RequestKind::Dns => {
                    let (stream, _forwarder) = self.open(request.port).await?;
                    dns::ask(stream).await
                }
                RequestKind::Http { tls, method, path, body } => {
                    self.http(request.port, *tls, *method, path, *body).await
                }
            }
        };
        match timeout(REPLY_TIMEOUT, asked).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(why)) => Reply::Failed(why),
            Err(_) => Reply::Failed(format!("no answer in {} s", REPLY_TIMEOUT.as_secs())),
        }
    }

    /// What a port can be asked, by what it speaks. `paths` are those that are known of it.
    pub(super) async fn requests(&self, port: u16, paths: &[String]) -> Vec<Request> {
        let connect = Request { port, kind: RequestKind::Connect };
        if self.ask(&connect).await != Reply::Open {
            return vec![connect];
        }
        let question = Request { port, kind: RequestKind::Dns };
        if dns::is_port(port) && matches!(self.ask(&question).await, Reply::Dns { .. }) {
            return vec![question];
        }
        let request = |tls, method, path: &str, body| {
            let kind = RequestKind::Http { tls, method, path: path.to_owned(), body };
            Request { port, kind }
        };
        let speaks = async |tls| match self.ask(&request(tls, Method::Get, "/", 0)).await {
            // Who wants TLS often says so in HTTP.
            Reply::Http { status, .. } => tls || status != 400,
            _ => false,
        };
        let tls = match speaks(false).await {
            true => false,
            false if speaks(true).await => true,
            false => return vec![connect],
        };
        let mut requests =
            vec![request(tls, Method::Get, "/", 0), request(tls, Method::Head, "/", 0)];
        requests.extend(paths.iter().map(|path| request(tls, Method::Get, path, 0)));
        requests.push(request(tls, Method::Post, "/", BODY));
        requests.dedup();
        requests
    }

    /// A connection to a port, and what keeps it.
    async fn open(&self, port: u16) -> Result<(DuplexStream, Portforwarder), String> {
        let mut forwarder =
            self.pods.portforward(&self.pod, &[port]).await.map_err(|error| innermost(&error))?;
        let stream = forwarder.take_stream(port).ok_or("it cannot be forwarded")?;
        Ok((stream, forwarder))
    }

    async fn connected(&self, port: u16) -> Result<Reply, String> {
        let (mut stream, _forwarder) = self.open(port).await?;
        let mut said = [0; MAX_BANNER];
        match timeout(BANNER_TIMEOUT, stream.read(&mut said)).await {
            Err(_) => Ok(Reply::Open),
            Ok(Ok(0)) => Err("the connection is refused, or ended at once".to_owned()),
            Ok(Ok(count)) => {
                let text = String::from_utf8_lossy(&said[..count]).into_owned();
                let word = text.split(|c: char| !c.is_ascii_graphic()).next().unwrap_or_default();
                let word = word.chars().take(MAX_WORD).collect();
                Ok(Reply::Banner(word, after_greeting(&mut stream, &said[..count]).await))
            }
            Ok(Err(error)) => Err(error.to_string()),
        }
    }

    async fn http(
        &self,
        port: u16,
        tls: bool,
        method: Method,
        path: &str,
        body: u64,
    ) -> Result<Reply, String> {
        let (stream, _forwarder) = self.open(port).await?;
        if !tls {
            return exchange(stream, method, path, body).await;
        }
        let name = ServerName::try_from("localhost").map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(Arc::new(any_certificate()?))
            .connect(name, stream)
            .await
            .map_err(|error| error.to_string())?;
        exchange(stream, method, path, body).await
    }
}

/// What a server does when its own greeting is said to it: where both sides begin with the same
/// words, as in SSH, a session begins; elsewhere it is a command that nobody knows, and answered so.
async fn after_greeting(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    greeting: &[u8],
) -> AfterGreeting {
    if stream.write_all(greeting).await.is_err() {
        return AfterGreeting::Ends;
    }
    match timeout(NEXT_TIMEOUT, stream.read(&mut [0; 1])).await {
        Ok(Ok(1..)) => AfterGreeting::GoesOn,
        Ok(_) => AfterGreeting::Ends,
        Err(_) => AfterGreeting::Waits,
    }
}

/// One request of HTTP/1.1, and what came back.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: Method,
    path: &str,
    body: u64,
) -> Result<Reply, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| innermost(&error))?;
    let connection = tokio::spawn(connection);
    let length = usize::try_from(body).unwrap_or(usize::MAX);
    let request = hyper::Request::builder()
        .method(method.as_str())
        .uri(path)
        .header("Host", "localhost")
        .header("User-Agent", "kubectl-nonroot")
        .header("Content-Type", "application/octet-stream")
        .body(Full::new(Bytes::from(vec![b'x'; length])))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| innermost(&error));
    let reply = match answer {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
            let content_type = kind.map(|kind| {
                let essence = kind.split(';').next().unwrap_or_default();
                essence.trim().to_ascii_lowercase()
            });
            let size = size(answer.into_body()).await;
            Ok(Reply::Http { status, content_type, size })
        }
        Err(why) => Err(why),
    };
    connection.abort();
    reply
}

/// How many bytes a body has, up to [`MAX_REPLY`].
async fn size(mut body: hyper::body::Incoming) -> u64 {
    let mut size = 0;
    while let Some(Ok(frame)) = body.frame().await {
        size += frame.data_ref().map_or(0, |data| data.len() as u64);
        if size >= MAX_REPLY {
            break;
        }
    }
    size
}

/// A configuration of TLS that takes any certificate: a copy is asked, not trusted.
fn any_certificate() -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth())
}

#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
