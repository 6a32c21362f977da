//! can-i against real attempts: what it answers for a pod, a shell of that pod's user then tries.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is how a test fails"
)]

mod testbed;

use std::collections::{BTreeMap, BTreeSet};
use std::{env, fs};

use serde_json::{Value, json};
use testbed::{Namespace, kubectl, nonroot};

/// Files of every kind of owner and mode, made by root in a volume; `$1` is the user of the pod.
const SETUP: &str = r#"
cd /work && umask 022
mkdir open closed own own/deep group sticky listed entered && echo x | tee open/f closed/f own/f own/deep/f group/f sticky/mine sticky/theirs listed/f entered/f r w x none gr gw > /dev/null
cp /bin/true tool && cp tool tool-closed && cp tool tool-group && cp tool tool-own
chmod 0777 open; chmod 0700 closed; chown -R "$1:0" own; chmod 0750 own/deep; chmod 0400 own/f; chown 0:4 group group/f; chmod 0770 group; chmod 0660 group/f
chmod 1777 sticky; chown "$1" sticky/mine; chmod 0744 listed; chmod 0711 entered
chmod 0444 r; chmod 0222 w; cp tool x; chmod 0111 x; chmod 0000 none; chown 0:4 gr gw; chmod 0640 gr; chmod 0620 gw
chmod 0755 tool; chmod 0700 tool-closed; chown 0:4 tool-group; chmod 0710 tool-group; chown "$1" tool-own; chmod 0655 tool-own
ln -s open/f link; ln -s ../work/closed/f link-closed; ln -s nowhere dangling; ln -s loop loop; ln -s /usr/../work/own up; ln -s link link-link
"#;

/// Tries each pair of a verb and a path, and says `VERB PATH 0` where it worked. Everything is put
/// back as it was.
const TRY: &str = r#"
while [ $# -gt 1 ]; do
  verb=$1 path=$2; shift 2
  (
    case $verb in
      read) : < "$path" ;;
      write) if [ -d "$path" ]; then : > "$path/.tried" && rm "$path/.tried"
        elif [ -e "$path" ]; then : >> "$path"
        else top=$path; while up=$(dirname "$top") && [ ! -e "$up" ] && [ ! -L "$up" ]; do top=$up; done
          mkdir -p "$(dirname "$path")" && : > "$path"; code=$?; rm -rf "$top"; exit $code; fi ;;
      create) mkdir "$path" && rmdir "$path" ;;
      delete) mv -f -T "$path" "$path.moved" && mv -f -T "$path.moved" "$path" ;;
      chmod) chmod "$(stat -L -c %a "$path")" "$path" ;;
      chown) chown "$(id -u):$(id -g)" "$path" ;;
      exec) "$path" --help < /dev/null; code=$?; [ $code -ne 126 ] && [ $code -ne 127 ] ;;
      bind) perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(Listen => 1, LocalPort => $ARGV[0])' "$path" ;;
    esac
  ) > /dev/null 2>&1
  echo "$verb $path $?"
done
"#;

/// What is asked of every pod: a verb, and what it is tried on. What changes a file comes last.
fn questions() -> Vec<(&'static str, Vec<&'static str>)> {
    let work = [
        "/work",
        "/work/open",
        "/work/open/f",
        "/work/closed",
        "/work/closed/f",
        "/work/own",
        "/work/own/f",
        "/work/own/deep",
        "/work/own/deep/f",
        "/work/group",
        "/work/group/f",
        "/work/sticky",
        "/work/sticky/mine",
        "/work/sticky/theirs",
        "/work/listed",
        "/work/listed/f",
        "/work/entered",
        "/work/entered/f",
        "/work/r",
        "/work/w",
        "/work/x",
        "/work/none",
        "/work/gr",
        "/work/gw",
        "/work/link",
        "/work/link-closed",
        "/work/link-link",
        "/work/up/f",
        "/work/loop",
        "/work/open/f/below",
    ];
    let image = [
        "/",
        "/etc",
        "/etc/passwd",
        "/etc/shadow",
        "/root",
        "/root/.profile",
        "/var/log",
        "/var/mail",
        "/var/lock",
        "/run",
        "/tmp",
        "/var/tmp",
        "/usr/bin/passwd",
        "/dev/null",
        "/dev/shm",
        "/dev",
        "/etc/hosts",
        "/etc/hostname",
        "/dev/termination-log",
        "/proc",
        "/proc/version",
        "/proc/sys/kernel/hostname",
        "/sys",
        "/sys/kernel",
        "/home",
    ];
    let volumes = [
        "/conf",
        "/conf/a.conf",
        "/conf/b.conf",
        "/one.conf",
        "/keys",
        "/keys/key",
        "/memory",
        "/readonly",
        "/part",
        "/var/run/linked",
        "/deep/way",
        "/deep/way/down",
    ];
    let missing = [
        "/work/open/new",
        "/work/closed/new",
        "/work/own/new",
        "/work/own/deep/new",
        "/work/group/new",
        "/work/sticky/new",
        "/work/listed/new",
        "/work/entered/new",
        "/work/open/f/new",
        "/tmp/new",
        "/run/new",
        "/new",
        "/etc/new",
        "/conf/new",
        "/keys/new",
        "/memory/new",
        "/readonly/new",
        "/part/new",
        "/var/run/linked/new",
        "/deep/new",
        "/dev/new",
        "/dev/shm/new",
        "/proc/new",
        "/sys/new",
        "/var/cache/new",
    ];
    let deeper = [
        "/work/open/a/b/c",
        "/work/closed/a/b",
        "/tmp/a/b/c",
        "/srv/a/b",
        "/memory/a/b",
        "/readonly/a/b",
    ];
    let moved = [
        "/work/open/f",
        "/work/closed/f",
        "/work/own/f",
        "/work/group/f",
        "/work/sticky/mine",
        "/work/sticky/theirs",
        "/work/listed/f",
        "/work/entered/f",
        "/work/link",
        "/work/loop",
        "/work/dangling",
        "/conf/a.conf",
        "/work/missing",
    ];
    let programs = [
        "/bin/true",
        "/usr/bin/id",
        "/bin/su",
        "/usr/bin/passwd",
        "/etc/passwd",
        "/work/tool",
        "/work/tool-closed",
        "/work/tool-group",
        "/work/tool-own",
        "/work/x",
        "/work",
        "/work/missing",
        "/work/closed/f",
        "/opt/busybox",
        "/conf/a.conf",
        "/dev/null",
    ];
    let owned = [
        "/work/own/f",
        "/work/own/deep",
        "/work/group/f",
        "/work/sticky/mine",
        "/work/sticky/theirs",
        "/work/r",
        "/work/open",
        "/work/link",
        "/work/none",
        "/etc/passwd",
        "/conf/a.conf",
        "/tmp",
        "/work/missing",
        "/memory",
    ];
    vec![
        ("read", [&work[..], &image, &volumes, &missing[..4]].concat()),
        ("write", [&work[..], &image, &volumes, &missing, &deeper].concat()),
        ("create", missing.to_vec()),
        ("delete", moved.to_vec()),
        ("exec", programs.to_vec()),
        ("bind", vec!["79", "80", "1023", "1024", "8080"]),
        ("chmod", owned.to_vec()),
        ("chown", owned.to_vec()),
    ]
}

/// A pod that sleeps, with a volume of every kind; `main` is its security context, the pod's is
/// `of_pod`.
fn pod(name: &str, image: &str, user: u32, of_pod: &Value, main: &Value) -> Value {
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
    let part = |name: &str, path: &str, part: &str| json!({"name": name, "mountPath": path, "subPath": part});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "securityContext": of_pod,
        "terminationGracePeriodSeconds": 0,
        "initContainers": [{"name": "setup", "image": image, "imagePullPolicy": "Never",
            "command": ["sh", "-ec", SETUP, "sh", user.to_string()], "securityContext": {"runAsUser": 0, "runAsGroup": 0},
            "volumeMounts": [mount("work", "/work")]}],
        "containers": [{"name": "main", "image": image, "imagePullPolicy": "Never", "securityContext": main,
            "command": ["sleep", "3600"],
            "volumeMounts": [mount("work", "/work"), mount("conf", "/conf"), mount("keys", "/keys"),
                mount("memory", "/memory"), part("conf", "/one.conf", "a.conf"), part("scratch", "/part", "a/b"),
                mount("scratch", "/var/run/linked"), mount("scratch", "/deep/way/down"),
                {"name": "scratch", "mountPath": "/readonly", "readOnly": true}]}],
        "volumes": [{"name": "work", "emptyDir": {}}, {"name": "scratch", "emptyDir": {}},
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
            {"name": "conf", "configMap": {"name": "conf", "items": [
                {"key": "a", "path": "a.conf"}, {"key": "b", "path": "b.conf", "mode": 0o400}]}},
            {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o440,
                "items": [{"key": "key", "path": "key"}]}}],
    }})
}

/// The pods: users, groups and rights of every sort.
fn pods() -> Vec<(&'static str, Value)> {
    let restricted = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let read_only = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true});
    let of = |uid: u32, gid: u32| json!({"runAsUser": uid, "runAsGroup": gid});
    let mut grouped = of(1000, 3000);
    grouped["fsGroup"] = json!(2000);
    let mut low_ports = of(33, 33);
    low_ports["supplementalGroups"] = json!([4]);
    low_ports["sysctls"] = json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]);
    let (nginx, report, capability) =
        ("localhost/test-nginx:1", "localhost/test-report:1", "localhost/test-file-capability:1");
    let added = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}});
    vec![
        ("grouped", pod("grouped", nginx, 1000, &grouped, &read_only)),
        ("low-ports", pod("low-ports", nginx, 33, &low_ports, &json!({}))),
        ("named", pod("named", report, 4242, &json!({}), &json!({}))),
        ("bounded", pod("bounded", capability, 1001, &json!({}), &restricted)),
        ("added", pod("added", capability, 1001, &of(1001, 1001), &added)),
        ("root", pod("root", nginx, 33, &json!({"supplementalGroups": [4]}), &json!({}))),
        ("bare-root", pod("bare-root", nginx, 33, &json!({}), &restricted)),
    ]
}

fn file(name: &str, text: &str) -> String {
    let path = env::temp_dir().join(format!("nonroot-test-cani-{}-{name}", std::process::id()));
    fs::write(&path, text).expect("a file in the temporary directory");
    path.display().to_string()
}

type Answers = BTreeMap<(String, String), String>;

/// What can-i answers; `more` are its further arguments.
fn answered(namespace: &str, more: &[&str]) -> Answers {
    let mut answers = Answers::new();
    for (verb, things) in questions() {
        let run =
            nonroot(&[&["can-i", "-n", namespace, "-o", "json", verb], &things[..], more].concat());
        let report = run.json();
        for one in report["answers"].as_array().expect("answers") {
            let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
            answers.insert((text("verb"), text("thing")), text("answer"));
        }
    }
    answers
}

/// What happened when a shell in the pod tried.
fn tried(namespace: &str, pod: &str) -> Answers {
    let pairs = questions()
        .into_iter()
        .flat_map(|(verb, things)| things.into_iter().flat_map(move |it| [verb, it]));
    let exec = ["exec", "-n", namespace, pod, "-c", "main", "--", "sh", "-c", TRY, "sh"];
    let output = kubectl(&exec.into_iter().chain(pairs).collect::<Vec<_>>());
    let line = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let (verb, thing, code) = (words.next()?, words.next()?, words.next()?);
        Some(((verb, thing), if code == "0" { "yes" } else { "no" }.to_owned()))
    };
    output.lines().map(|text| line(text).unwrap_or_else(|| panic!("{text}"))).collect()
}

/// Every pair whose answer is not what happened, and how many are not known. Only of files that the
/// user may execute and not read is it allowed not to know: nothing in a container tells their
/// capabilities. `may_not_know` allows more.
fn differences(
    who: &str,
    answers: &Answers,
    tried: &Answers,
    may_not_know: bool,
) -> (Vec<String>, usize) {
    assert_eq!(answers.keys().collect::<BTreeSet<_>>(), tried.keys().collect::<BTreeSet<_>>());
    let hidden = ["/work/x", "/work/tool-group"];
    let differs = |((verb, thing), answer): (&(String, String), &String)| {
        let happened = &tried[&(verb.clone(), thing.clone())];
        let passes = answer == "unknown"
            && (may_not_know || verb == "exec" && hidden.contains(&thing.as_str()));
        (answer != happened && !passes)
            .then(|| format!("{who}: {verb} {thing}: {answer}, and the kernel says {happened}"))
    };
    let unknown = answers.values().filter(|answer| *answer == "unknown").count();
    (answers.iter().filter_map(differs).collect(), unknown)
}

/// The image that a pod runs, in the cluster's own content store.
fn stored(namespace: &str, pod: &str) -> String {
    let id = "jsonpath={.status.containerStatuses[0].imageID}";
    let id = kubectl(&["get", "pod", "-n", namespace, pod, "-o", id]);
    format!("{}@{}", testbed::content_store(), id.rsplit('@').next().expect("a digest"))
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_file_capability_of_the_entrypoint_counts_for_it_alone() {
    let namespace = Namespace::new(
        "nonroot-test-cani-server",
        &["pod-security.kubernetes.io/enforce=restricted"],
    );
    let name = namespace.name();
    let context = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    let main = |add: &[&str]| json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": add}});
    let server = |name: &str, main: Value| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "securityContext": context, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "localhost/test-file-capability:1", "imagePullPolicy": "Never",
                "securityContext": main, "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}}]}})
    };
    let (granted, refused) =
        (server("granted", main(&["NET_BIND_SERVICE"])), server("refused", main(&[])));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [granted, refused]});
    kubectl(&["apply", "-n", name, "-f", &file("servers.json", &list.to_string())]);
    kubectl(&["wait", "-n", name, "--for=condition=Ready", "pod/granted", "--timeout=120s"]);

    let can = |arguments: &[&str]| nonroot(&[&["can-i", "-n", name], arguments].concat());
    let ready = can(&["bind", "80", "pod/granted"]);
    assert_eq!(ready.code, 0, "it serves on port 80: {}{}", ready.stdout, ready.stderr);
    let shell = can(&["bind", "80", "pod/granted", "--uid", "1002"]);
    assert_eq!(shell.code, 1);
    assert!(shell.stdout.contains("capabilities.add changes nothing"), "{}", shell.stdout);
    // The other never starts, so only its image tells; no registry has it, the node's content store
    // does.
    let store = testbed::content_store();
    let told = can(&["exec", "/opt/busybox", "pod/refused", "--image", &stored(name, "granted")]);
    assert_eq!(told.code, 1, "{}{}", told.stdout, told.stderr);
    assert!(
        told.stdout.starts_with("no (EPERM)") && told.stdout.contains("lacks NET_BIND_SERVICE"),
        "{}",
        told.stdout
    );
    let nowhere = can(&["exec", "/opt/busybox", "pod/refused", "--no-image-cache"]);
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (3, ""), "{}", nowhere.stderr);

    let image =
        nonroot(&["image", "pod/granted", "-n", name, "--content-store", &store, "-o", "json"]);
    assert_eq!(image.code, 0, "{}", image.stderr);
    let report = image.json();
    assert_eq!(
        (&report["kind"], report["images"].as_array().map(Vec::len)),
        (&json!("ImageList"), Some(1))
    );
    let one = &report["images"][0];
    assert_eq!((&one["container"], &one["uid"]), (&json!("main"), &json!(1001)));
    assert_eq!(one["identities"][0]["uid"], 1001);
    assert_eq!(
        one["privilegedFiles"]
            .as_array()
            .expect("files")
            .iter()
            .filter(|it| it["path"] == "/opt/busybox")
            .count(),
        1
    );
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn answers_are_what_happens() {
    let namespace = Namespace::new("nonroot-test-cani", &[]);
    let name = namespace.name();
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"a": "1", "b": "2"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"key": "1"}}),
    ];
    objects.extend(pods().into_iter().map(|(_, pod)| pod));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    kubectl(&["apply", "-n", name, "-f", &file("pods.json", &list.to_string())]);
    kubectl(&["wait", "-n", name, "--for=condition=Ready", "pods", "--all", "--timeout=120s"]);

    // All is asked before anything is tried.
    let running: Vec<(String, Answers)> = pods()
        .iter()
        .map(|(pod, _)| ((*pod).to_owned(), answered(name, &[&format!("pod/{pod}")])))
        .collect();
    // Root's look at its own pod, for the user that another pod of the same kind has.
    let user = ["--uid", "33", "--gid", "33", "--groups", "4"];
    let for_another = answered(name, &[&["pod/root"], &user[..]].concat());
    let happened: BTreeMap<&str, Answers> =
        pods().iter().map(|(pod, _)| (*pod, tried(name, pod))).collect();
    let mut wrong = Vec::new();
    let (mut pairs, mut users) = (0, 0);
    for (pod, answers) in &running {
        let (differ, unknown) = differences(pod, answers, &happened[pod.as_str()], false);
        let yes = answers.values().filter(|answer| *answer == "yes").count();
        println!(
            "{pod:<10} {} pairs, {yes} yes, {unknown} unknown, {} differ",
            answers.len(),
            differ.len()
        );
        assert!(yes > 30 && yes + 30 < answers.len(), "the pairs of {pod} do not tell apart");
        (pairs, users) = (pairs + answers.len(), users + 1);
        wrong.extend(differ);
    }
    // That pod opens port 80 and up, and the ids of the files are those of user 33 in both.
    let port = |pair: &(String, String)| pair.0 == "bind";
    let without_ports = |answers: &Answers| -> Answers {
        answers
            .iter()
            .filter(|(pair, _)| !port(pair))
            .map(|(pair, answer)| (pair.clone(), answer.clone()))
            .collect()
    };
    let (differ, unknown) = differences(
        "root for 33",
        &without_ports(&for_another),
        &without_ports(&happened["low-ports"]),
        false,
    );
    println!(
        "root's look for 33: {} pairs, {unknown} unknown, {} differ",
        for_another.len(),
        differ.len()
    );
    wrong.extend(differ);
    // The image and the spec alone know no more than how a pod starts.
    for (pod, spec) in pods().iter().filter(|(pod, _)| ["grouped", "added"].contains(pod)) {
        let image = stored(name, pod);
        let path = file(&format!("{pod}.json"), &spec.to_string());
        let starts = |answers: &Answers| -> Answers {
            let known = answers.iter().filter(|((_, thing), _)| !thing.starts_with("/work"));
            known.map(|(pair, answer)| (pair.clone(), answer.clone())).collect()
        };
        let answers = starts(&answered(name, &["-f", &path, "--image", &image]));
        let (differ, unknown) =
            differences(&format!("image of {pod}"), &answers, &starts(&happened[*pod]), true);
        println!(
            "image of {pod:<10} {} pairs, {unknown} unknown, {} differ",
            answers.len(),
            differ.len()
        );
        assert!(unknown * 10 < answers.len(), "the image of {pod} tells too little");
        pairs += answers.len();
        wrong.extend(differ);
    }
    println!("{pairs} pairs of {users} pods");
    assert!(
        pairs >= 200 && wrong.is_empty(),
        "{} of {pairs} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
