//! Uses a copy that is Ready: it is asked, reloaded and started a second time, and what came of
//! that is seen.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Trial;
use super::control::Role;
use super::pod::names;
use super::requests::Ports;
use crate::comparison;
use crate::evidence::cluster::{Cluster, Place, TrialPlace};
use crate::model::behaviour::{Behaviour, Checked, Reload, Reply, Request, RequestKind};
use crate::model::check::{Action, ProofCheck, Statuses};
use crate::model::inside::{Inside, Listener};
use crate::model::port::FIRST_EPHEMERAL;

/// Ports of a container that are asked at the most.
const MAX_PORTS: usize = 8;

/// How long a process has to get over a SIGHUP.
const RELOAD_TIME: Duration = Duration::from_secs(2);

/// How long a program may go on starting after it is Ready.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long a command of a check may run.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

impl Trial<'_> {
    /// Uses a copy, and tells how it behaved. Beside a control it is asked what that was asked. What
    /// cannot be done is a gap.
    pub(super) async fn exercise(&self, name: &str, pod: &Value, role: Role<'_>) -> Behaviour {
        let mut behaviour = Behaviour::default();
        let Some(cluster) = self.cluster else { return behaviour };
        let Ok(pods) = self.pods() else { return behaviour };
        let ports = Ports { pods, pod: name.to_owned() };
        let begin = Instant::now();

        let control = role.control();
        let before = self.insides(cluster, name, pod).await;
        let requests = match control {
            _ if !self.options.requests => Vec::new(),
            Some(control) => control.replies.iter().map(|(request, _)| request.clone()).collect(),
            None => requests(&ports, pod, &before).await,
        };
        let expected = control.map(|control| control.replies.as_slice()).unwrap_or_default();
        behaviour.replies = replies(&ports, &requests, expected).await;
        for check in &self.options.checks {
            let mut checked = self.checked(cluster, &ports, name, pod, check).await;
            // A command may do what cannot be done twice.
            if !checked.passed && !matches!(check.action, Action::Exec { .. }) {
                sleep(WARM_UP).await;
                checked = self.checked(cluster, &ports, name, pod, check).await;
            }
            behaviour.checks.push(checked);
        }
        let address = address(&ports).await;
        for (number, job) in self.options.check_jobs.iter().enumerate() {
            let address = address.as_deref().unwrap_or_default();
            behaviour.checks.push(self.checked_by_job(number, job, address).await);
        }
        behaviour.checks.extend(self.probed(cluster, name, pod).await);
        // A second start begins with the image's files: what was written in use would not be seen.
        let used = match role {
            Role::Control => self.insides(cluster, name, pod).await,
            _ => BTreeMap::new(),
        };
        if !self.options.quick {
            match self.restart(name).await {
                Ok(restarts) => behaviour.restarts = restarts,
                Err(why) => behaviour.gaps.push(format!("no second start was tried: {why}")),
            }
            if behaviour.restarts.iter().any(|restart| restart.ready) {
                behaviour.replies_after_restart = replies(&ports, &requests, expected).await;
            }
        }
        behaviour.gaps.extend(self.gaps(pod, &behaviour.replies, &before));
        behaviour.containers = self.insides(cluster, name, pod).await;
        for (container, inside) in used {
            match behaviour.containers.get_mut(&container) {
                Some(known) => known.add(&inside),
                None => drop(behaviour.containers.insert(container, inside)),
            }
        }
        match role {
            Role::Control => {
                behaviour.private = self.private(cluster, name, &behaviour.containers).await;
            }
            Role::Beside(control) => {
                behaviour.unreadable = self.unreadable(cluster, name, &control.private).await;
            }
            Role::Alone => {}
        }
        if !self.options.quick {
            behaviour.reloads = self.reload(cluster, name, pod, role).await;
        }
        tracing::debug!(pod = name, elapsed = ?begin.elapsed(), "it was used");
        behaviour
    }

    /// What of a copy is not looked at, and why.
    fn gaps(
        &self,
        pod: &Value,
        replies: &[(Request, Reply)],
        before: &BTreeMap<String, Inside>,
    ) -> Vec<String> {
        let mut gaps = Vec::new();
        if self.options.quick {
            gaps.push("no reload and no second start was tried (--quick)".to_owned());
        }
        if !self.options.requests {
            gaps.push("no port was asked anything (--no-requests)".to_owned());
        }
        // A name server answers over TCP what it answers over UDP.
        let is_asked = |port: u16| {
            let dns = |(_, reply): &(Request, Reply)| matches!(reply, Reply::Dns { .. });
            replies.iter().any(|asked| asked.0.port == port && dns(asked))
        };
        let is_silent = |listener: &Listener| matches!(listener, Listener::Udp { port, .. } if *port < FIRST_EPHEMERAL && !is_asked(*port));
        if before.values().flat_map(|inside| &inside.listeners).any(is_silent) {
            gaps.push("UDP ports are not asked".to_owned());
        }
        let is_failure = |reply: &Reply| matches!(reply, Reply::Failed(_));
        let is_more = replies.iter().any(|(asked, _)| asked.kind != RequestKind::Connect);
        match replies.first() {
            // What no port answers says nothing of the program: the way to it may be closed.
            Some((_, Reply::Failed(why))) if replies.iter().all(|(_, reply)| is_failure(reply)) => {
                gaps.push(format!("no port could be asked: {why}"));
            }
            Some(_) if !is_more && self.options.checks.is_empty() => gaps.push(
                "of what it speaks only the greeting is compared; --check asks for more".to_owned(),
            ),
            _ => {}
        }
        let names = names(pod).filter(|name| !before.contains_key(*name));
        gaps.extend(names.map(|name| {
            let why = "it has no shell, or exec is refused";
            let ports = match declared_ports(pod, name).is_empty() && self.options.requests {
                true => ", and it declares no port to ask",
                false => "",
            };
            format!("container {name} is not looked into: {why}{ports}")
        }));
        gaps
    }

    /// What each container that has a shell shows of itself.
    async fn insides(
        &self,
        cluster: &Cluster,
        name: &str,
        pod: &Value,
    ) -> BTreeMap<String, Inside> {
        let mut insides = BTreeMap::new();
        for container in names(pod) {
            let place = Place { namespace: &self.namespace, pod: name, container };
            if let Ok(inside) = cluster.look_inside(place).await {
                insides.insert(container.to_owned(), inside);
            }
        }
        insides
    }

    /// What containers are set up with that not everybody may read.
    async fn private(
        &self,
        cluster: &Cluster,
        name: &str,
        insides: &BTreeMap<String, Inside>,
    ) -> Vec<(String, String)> {
        let mut needed = Vec::new();
        for (container, inside) in insides {
            let place = Place { namespace: &self.namespace, pod: name, container };
            let Some(place) = TrialPlace::new(place) else { continue };
            let Ok((private, named)) = cluster.private_files(place).await else { continue };
            let paths = comparison::needed(&private, &named, inside).into_iter();
            needed.extend(paths.map(|path| (container.clone(), path)));
        }
        needed
    }

    /// Those of some files, each of a container, that the copy may not read.
    async fn unreadable(
        &self,
        cluster: &Cluster,
        name: &str,
        files: &[(String, String)],
    ) -> Vec<(String, String)> {
        let mut unreadable = Vec::new();
        for of_one in files.chunk_by(|one, other| one.0 == other.0) {
            let container = &of_one[0].0;
            let place = Place { namespace: &self.namespace, pod: name, container };
            let paths: Vec<&str> = of_one.iter().map(|(_, path)| path.as_str()).collect();
            let refused = cluster.unreadable(place, &paths).await.unwrap_or_default();
            unreadable.extend(refused.into_iter().map(|path| (container.clone(), path)));
        }
        unreadable
    }

    /// A check that was given.
    async fn checked(
        &self,
        cluster: &Cluster,
        ports: &Ports,
        name: &str,
        pod: &Value,
        check: &ProofCheck,
    ) -> Checked {
        let (passed, answer) = match &check.action {
            Action::Http { tls, method, port, path, body, expected } => {
                let kind = RequestKind::Http {
                    tls: *tls,
                    method: *method,
                    path: path.clone(),
                    body: *body,
                };
                judged(&ports.ask(&Request { port: *port, kind }).await, *expected)
            }
            Action::Tcp { port } => {
                let request = Request { port: *port, kind: RequestKind::Connect };
                match ports.ask(&request).await {
                    Reply::Failed(why) => (false, why),
                    _ => (true, "it takes the connection".to_owned()),
                }
            }
            Action::Exec { container, command } => {
                let container = container.as_deref().or_else(|| names(pod).next());
                let container = container.unwrap_or_default();
                self.executed(cluster, name, container, command).await
            }
        };
        Checked { check: check.text.clone(), passed, answer }
    }

    /// The commands of the liveness and startup probes: the kubelet asks some of them long after the
    /// pod is Ready.
    async fn probed(&self, cluster: &Cluster, name: &str, pod: &Value) -> Vec<Checked> {
        let mut checked = Vec::new();
        for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
            for probe in ["startupProbe", "livenessProbe"] {
                let words = container[probe]["exec"]["command"].as_array();
                let Some(words) = words else { continue };
                let command: Vec<String> =
                    words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
                let of = container["name"].as_str().unwrap_or_default();
                let (passed, answer) = self.executed(cluster, name, of, &command).await;
                checked.push(Checked {
                    check: format!("{probe} of container {of}"),
                    passed,
                    answer,
                });
            }
        }
        checked
    }

    /// Whether a command in a copy ends with 0, and how it ended.
    async fn executed(
        &self,
        cluster: &Cluster,
        name: &str,
        container: &str,
        command: &[String],
    ) -> (bool, String) {
        let place = Place { namespace: &self.namespace, pod: name, container };
        let Some(place) = TrialPlace::new(place) else {
            return (false, "it is no copy".to_owned());
        };
        match cluster.execute(place, command, COMMAND_TIMEOUT).await {
            Ok(0) => (true, "exit code 0".to_owned()),
            Ok(code) => (false, format!("exit code {code}")),
            Err(error) => (false, error.to_string()),
        }
    }

    /// Sends SIGHUP to each first process that catches it, last of all: some end by it. A copy gets it
    /// where the control survived it.
    async fn reload(
        &self,
        cluster: &Cluster,
        name: &str,
        pod: &Value,
        role: Role<'_>,
    ) -> Vec<Reload> {
        // There the first process is the pod's sandbox.
        if pod["spec"]["shareProcessNamespace"] == true {
            return Vec::new();
        }
        let is_sent = |container: &&str| match role {
            Role::Control => true,
            Role::Beside(control) => {
                control.reloads.iter().any(|one| one.container == *container && one.survived)
            }
            Role::Alone => false,
        };
        let mut sent = Vec::new();
        for container in names(pod).filter(is_sent) {
            let place = Place { namespace: &self.namespace, pod: name, container };
            let Some(place) = TrialPlace::new(place) else { continue };
            if cluster.reload(place).await.unwrap_or(false) {
                sent.push((container, place));
            }
        }
        if sent.is_empty() {
            return Vec::new();
        }
        sleep(RELOAD_TIME).await;
        // The pod's status is late: whether a command can be executed is known at once.
        let nothing = ["sh", "-c", ":"].map(str::to_owned);
        let mut reloads = Vec::new();
        for (container, place) in sent {
            let survived = cluster.execute(place, &nothing, COMMAND_TIMEOUT).await == Ok(0);
            reloads.push(Reload { container: container.to_owned(), survived });
        }
        reloads
    }
}

/// The address of a copy.
async fn address(ports: &Ports) -> Option<String> {
    ports.pods.get_opt(&ports.pod).await.ok().flatten()?.status?.pod_ip
}

/// What some requests get. One that gets another answer than is expected is made once more: a
/// program may still be warming up.
async fn replies(
    ports: &Ports,
    requests: &[Request],
    expected: &[(Request, Reply)],
) -> Vec<(Request, Reply)> {
    let mut replies = Vec::with_capacity(requests.len());
    for request in requests {
        let mut reply = ports.ask(request).await;
        let wanted = expected.iter().find(|(known, _)| known == request);
        if wanted.is_some_and(|(_, wanted)| !comparison::is_same(wanted, &reply)) {
            sleep(WARM_UP).await;
            reply = ports.ask(request).await;
        }
        replies.push((request.clone(), reply));
    }
    replies
}

/// Everything that a copy's TCP ports can be asked: those that it listens on, or declares where it
/// cannot be looked into.
async fn requests(ports: &Ports, pod: &Value, insides: &BTreeMap<String, Inside>) -> Vec<Request> {
    let listeners = insides.values().flat_map(|inside| &inside.listeners);
    let open = listeners.filter_map(|listener| match listener {
        Listener::Tcp { address, port, .. } if !address.is_loopback() => Some(*port),
        _ => None,
    });
    let unknown = names(pod).filter(|name| !insides.contains_key(*name));
    let declared = unknown.flat_map(|name| declared_ports(pod, name));
    let mut all: Vec<u16> = open.chain(declared).filter(|port| *port < FIRST_EPHEMERAL).collect();
    all.sort_unstable();
    all.dedup();
    let mut requests = Vec::new();
    for port in all.into_iter().take(MAX_PORTS) {
        requests.extend(ports.requests(port, &probe_paths(pod, port)).await);
    }
    requests
}

/// The TCP ports that a container declares.
fn declared_ports(pod: &Value, container: &str) -> Vec<u16> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let ports = containers
        .filter(|one| one["name"].as_str() == Some(container))
        .flat_map(|one| one["ports"].as_array().into_iter().flatten())
        .filter(|port| port["protocol"].as_str().is_none_or(|protocol| protocol == "TCP"));
    ports.filter_map(|port| u16::try_from(port["containerPort"].as_u64()?).ok()).collect()
}

/// The paths that probes ask a port for.
fn probe_paths(pod: &Value, port: u16) -> Vec<String> {
    let mut paths = Vec::new();
    for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
        let number = |given: &Value| match given.as_str() {
            Some(name) => {
                let mut ports = container["ports"].as_array().into_iter().flatten();
                ports.find(|one| one["name"] == name).and_then(|one| one["containerPort"].as_u64())
            }
            None => given.as_u64(),
        };
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let get = &container[probe]["httpGet"];
            let path = get["path"].as_str().unwrap_or("/");
            if number(&get["port"]) == Some(u64::from(port))
                && path != "/"
                && !paths.iter().any(|known| known == path)
            {
                paths.push(path.to_owned());
            }
        }
    }
    paths
}

/// Whether an answer is one of the statuses, and what it is.
fn judged(reply: &Reply, expected: Statuses) -> (bool, String) {
    match reply {
        Reply::Http { status, .. } => (expected.contains(*status), format!("status {status}")),
        Reply::Failed(why) => (false, why.clone()),
        Reply::Banner(..) | Reply::Dns { .. } | Reply::Open => {
            (false, "it speaks no HTTP".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_paths_of_probes_are_asked_by_number_and_by_name() {
        let pod = json!({"spec": {"containers": [{
            "name": "web",
            "ports": [{"name": "http", "containerPort": 8080}],
            "livenessProbe": {"httpGet": {"path": "/alive", "port": "http"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
            "startupProbe": {"httpGet": {"path": "/", "port": 8080}},
        }, {"name": "side", "livenessProbe": {"httpGet": {"path": "/other", "port": 9090}}}]}});
        assert_eq!(probe_paths(&pod, 8080), ["/alive", "/ready"]);
        assert_eq!(probe_paths(&pod, 9090), ["/other"]);
        assert_eq!(probe_paths(&pod, 80), [""; 0]);
    }
}
