//! The real cluster as the tests use it: kubectl, the binary under test, namespaces that go away, a
//! server with faults.

#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod storm;

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::{Value, json};

/// How long a cluster may take to come to the state that a test waits for.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn directory() -> String {
    env::var("CLUSTER_DIR").unwrap_or_else(|_| "/var/cache/nonroot-cluster".to_owned())
}

pub(crate) fn kubeconfig() -> String {
    let path = format!("{}/etc/admin.kubeconfig", directory());
    assert!(
        fs::exists(&path).unwrap_or(false),
        "no cluster: {path} is missing; run tests/cluster/build and tests/cluster/up"
    );
    path
}

/// containerd's content store, where the layers of all images lie.
pub(crate) fn content_store() -> String {
    format!("{}/state/containerd/io.containerd.content.v1.content", directory())
}

/// The digest of every image that the cluster's containerd has, by its name.
pub(crate) fn stored_images() -> BTreeMap<String, String> {
    let mut command = Command::new(format!("{}/bin/ctr", directory()));
    let socket = format!("{}/run/containerd.sock", directory());
    let output =
        command.args(["-a", &socket, "-n", "k8s.io", "images", "ls"]).output().expect("ctr runs");
    let list = Run::of(output).stdout;
    let row = |line: &str| {
        let mut columns = line.split_whitespace();
        Some((columns.next()?.to_owned(), columns.nth(1)?.to_owned()))
    };
    list.lines().skip(1).filter_map(row).collect()
}

/// What a command printed and how it ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.stdout, self.stderr))
    }
}

/// Runs kubectl, which must succeed.
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    let mut command = Command::new(format!("{}/bin/kubectl", directory()));
    let output =
        command.env("KUBECONFIG", kubeconfig()).args(arguments).output().expect("kubectl runs");
    let run = Run::of(output);
    assert_eq!(run.code, 0, "kubectl {}: {}", arguments.join(" "), run.stderr);
    run.stdout
}

/// Runs kubectl and returns what it says beside its output: warnings, or why it failed.
pub(crate) fn kubectl_warns(arguments: &[&str]) -> String {
    let mut command = Command::new(format!("{}/bin/kubectl", directory()));
    Run::of(command.env("KUBECONFIG", kubeconfig()).args(arguments).output().expect("kubectl runs"))
        .stderr
}

/// Runs the binary under test, in an environment of its own.
pub(crate) fn nonroot(arguments: &[&str]) -> Run {
    Run::of(binary().args(arguments).output().expect("the binary runs"))
}

/// Runs it for a terminal of so many columns.
pub(crate) fn nonroot_at(columns: usize, arguments: &[&str]) -> Run {
    let run = binary().env("COLUMNS", columns.to_string()).args(arguments).output();
    Run::of(run.expect("the binary runs"))
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"));
    command
        .env_clear()
        .env("KUBECONFIG", kubeconfig())
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    // The images of these tests are in no registry.
    command.env("NONROOT_OFFLINE", "1");
    command
}

/// Starts the binary under test, in an environment of its own, with its output in a pipe.
pub(crate) fn start_nonroot(arguments: &[&str]) -> Child {
    binary().args(arguments).stdout(Stdio::piped()).spawn().expect("the binary starts")
}

/// Runs the binary until its report is as awaited.
pub(crate) fn until(arguments: &[&str], settled: impl Fn(&Value) -> bool) -> Run {
    let start = Instant::now();
    loop {
        let run = nonroot(arguments);
        if settled(&run.json()) {
            return run;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "still not as awaited:\n{}\n{}",
            run.stdout,
            run.stderr
        );
        thread::sleep(Duration::from_millis(500));
    }
}

/// A namespace that goes away with the test, and that an earlier test did not leave behind.
pub(crate) struct Namespace(String);

impl Namespace {
    pub(crate) fn new(name: &str, labels: &[&str]) -> Self {
        kubectl(&["delete", "namespace", name, "--ignore-not-found", "--timeout=120s"]);
        kubectl(&["create", "namespace", name]);
        if !labels.is_empty() {
            kubectl(&[&["label", "namespace", name], labels].concat());
        }
        let start = Instant::now();
        while kubectl(&["get", "serviceaccounts", "-n", name, "-o", "name"]).is_empty() {
            assert!(start.elapsed() < PATIENCE, "namespace {name} gets no service account");
            thread::sleep(Duration::from_millis(100));
        }
        Self(name.to_owned())
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        kubectl(&["delete", "pods", "--all", "-n", &self.0, "--grace-period=0", "--force"]);
        kubectl(&["delete", "namespace", &self.0, "--wait=false"]);
    }
}

/// The path of a file with a text.
pub(crate) fn written(name: &str, text: &str) -> String {
    let path = env::temp_dir().join(format!("nonroot-test-{}-{name}", std::process::id()));
    fs::write(&path, text).expect("a file in the temporary directory");
    path.display().to_string()
}

/// The cluster's kubeconfig, whatever form its file has, as JSON, which a kubeconfig may be.
fn kubeconfig_as_json() -> Value {
    serde_json::from_str(&kubectl(&["config", "view", "--raw", "-o", "json"]))
        .expect("a kubeconfig")
}

/// The cluster's kubeconfig with another namespace in its context.
pub(crate) fn kubeconfig_with_namespace(namespace: &str) -> String {
    let mut config = kubeconfig_as_json();
    config["contexts"][0]["context"]["namespace"] = namespace.into();
    written(namespace, &config.to_string())
}

/// The cluster's kubeconfig with a token for its only credential.
pub(crate) fn kubeconfig_with_token(token: &str) -> String {
    let mut config = kubeconfig_as_json();
    config["users"][0]["user"] = json!({"token": token});
    written(token, &config.to_string())
}

/// The API server behind a proxy that answers some requests itself, with an error.
pub(crate) struct FaultyServer {
    pub(crate) url: String,
    faults: Arc<Mutex<VecDeque<String>>>,
    upstream: Child,
}

impl FaultyServer {
    /// Starts `kubectl proxy`, which speaks plain HTTP with the administrator's rights, and stands
    /// before it.
    pub(crate) fn start() -> Self {
        let mut command = Command::new(format!("{}/bin/kubectl", directory()));
        command.env("KUBECONFIG", kubeconfig()).args(["proxy", "--port=0"]).stdout(Stdio::piped());
        let mut upstream = command.spawn().expect("kubectl proxy runs");
        let mut line = String::new();
        BufReader::new(upstream.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("its address");
        let address = line.trim().rsplit(' ').next().expect("an address").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let faults = Arc::new(Mutex::new(VecDeque::new()));
        let shared = Arc::clone(&faults);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (address, faults) = (address.clone(), Arc::clone(&shared));
                thread::spawn(move || serve(client, &address, &faults));
            }
        });
        Self { url, faults, upstream }
    }

    /// The next requests get these answers, one each.
    pub(crate) fn fail_next(&self, statuses: &[&str]) {
        let mut faults = self.faults.lock().expect("no thread panicked");
        *faults = statuses.iter().map(|status| (*status).to_owned()).collect();
    }

    pub(crate) fn faults_left(&self) -> usize {
        self.faults.lock().expect("no thread panicked").len()
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        let _ = self.upstream.kill();
        let _ = self.upstream.wait();
    }
}

/// Serves one request a connection, so that each meets the next fault.
fn serve(mut client: TcpStream, upstream: &str, faults: &Mutex<VecDeque<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    if let Some(status) = faults.lock().expect("no thread panicked").pop_front() {
        let retry = if status.starts_with("429") { "Retry-After: 1\r\n" } else { "" };
        let answer =
            format!("HTTP/1.1 {status}\r\n{retry}Content-Length: 0\r\nConnection: close\r\n\r\n");
        let _ = client.write_all(answer.as_bytes());
        return;
    }
    let head = String::from_utf8_lossy(&head).replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let Ok(mut server) = TcpStream::connect(upstream) else { return };
    if server.write_all(head.as_bytes()).is_ok() {
        let _ = std::io::copy(&mut server, &mut client);
    }
}

/// A line to the API server that can be cut: it carries bytes, and whoever speaks TLS through it
/// speaks with the server.
pub(crate) struct Line {
    pub(crate) port: u16,
    ends: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Line {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let ends = Arc::new(Mutex::new(Some(Vec::new())));
        let shared = Arc::clone(&ends);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect("127.0.0.1:6443").expect("the API server");
                let mut ends = shared.lock().expect("no thread panicked");
                // Cut: nobody answers any more.
                let Some(ends) = ends.as_mut() else { return };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) =
                        (from.try_clone().expect("a stream"), to.try_clone().expect("a stream"));
                    ends.push(from.try_clone().expect("a stream"));
                    thread::spawn(move || std::io::copy(&mut from, &mut to));
                }
            }
        });
        Self { port, ends }
    }

    /// Cuts it once something has come about.
    pub(crate) fn cut_after(&self, wait: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
        let ends = Arc::clone(&self.ends);
        thread::spawn(move || {
            wait();
            let ends = ends.lock().expect("no thread panicked").take();
            for end in ends.into_iter().flatten() {
                let _ = end.shutdown(std::net::Shutdown::Both);
            }
        })
    }
}

/// containerd's own client, on the namespace of the kubelet's containers; it must succeed.
pub(crate) fn ctr(arguments: &[&str]) -> String {
    let mut command = Command::new(format!("{}/bin/ctr", directory()));
    let socket = format!("{}/run/containerd.sock", directory());
    let output =
        command.args(["-a", &socket, "-n", "k8s.io"]).args(arguments).output().expect("ctr runs");
    let run = Run::of(output);
    assert_eq!(run.code, 0, "ctr {}: {}", arguments.join(" "), run.stderr);
    run.stdout
}

/// The process on the node that a container of the runtime began with.
pub(crate) fn process_of(container: &str) -> u32 {
    let tasks = ctr(&["tasks", "ls"]);
    let mut rows = tasks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows
        .find(|row| row.first() == Some(&container))
        .unwrap_or_else(|| panic!("{container}: {tasks}"));
    row[1].parse().expect("a process")
}

/// A field of the first pod that a label selects.
pub(crate) fn of_pod(namespace: &str, selector: &str, path: &str) -> String {
    kubectl(&[
        "get",
        "pods",
        "-n",
        namespace,
        "-l",
        selector,
        "-o",
        &format!("jsonpath={{.items[0]{path}}}"),
    ])
}

/// The spec of every object that could make a pod, by its kind and name.
pub(crate) fn specs(namespace: &str) -> BTreeMap<String, Value> {
    let kinds = "deployments,statefulsets,daemonsets,cronjobs";
    let list = kubectl(&["get", kinds, "-n", namespace, "-o", "json"]);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let name = |object: &Value| format!("{}/{}", object["kind"], object["metadata"]["name"]);
    let items = list["items"].as_array().expect("a list");
    items.iter().map(|object| (name(object), object["spec"].clone())).collect()
}
