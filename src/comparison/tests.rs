use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::model::behaviour::{
    AfterGreeting, Checked, Reload, Reply, Request, RequestKind, Restart,
};
use crate::model::check::Method;
use crate::model::inside::{Inside, Listener, Process};

fn causes(control: &Behaviour, copy: &Behaviour) -> Vec<String> {
    beside(control, copy).obstacles.into_iter().map(|obstacle| obstacle.cause).collect()
}

fn get(path: &str) -> Request {
    let kind =
        RequestKind::Http { tls: false, method: Method::Get, path: path.to_owned(), body: 0 };
    Request { port: 8080, kind }
}

fn http(status: u16, size: u64) -> Reply {
    Reply::Http { status, content_type: Some("text/html".to_owned()), size }
}

#[test]
fn an_answer_that_differs_is_lost() {
    let control = Behaviour {
        replies: vec![(get("/"), http(200, 900)), (get("/time"), http(200, 10))],
        replies_after_restart: vec![(get("/"), http(200, 1100)), (get("/time"), http(503, 10))],
        ..Behaviour::default()
    };
    let copy = |status, size| Behaviour {
        replies: vec![(get("/"), http(status, size)), (get("/time"), http(404, 0))],
        ..Behaviour::default()
    };
    assert_eq!(causes(&control, &copy(200, 1000)), [""; 0], "sizes differ from run to run");
    assert_eq!(
        causes(&control, &copy(500, 900)),
        ["GET http://:8080/ gets another answer than as root: 500, text/html, 900 bytes"]
    );
    assert_eq!(causes(&control, &copy(200, 9000)).len(), 1, "another page");
    let obstacles = beside(&control, &copy(500, 900)).obstacles;
    assert_eq!(obstacles[0].category, Category::LostFunction);
    assert_eq!(
        obstacles[0].evidence.text,
        "GET http://:8080/: as root: 200, text/html, 900 bytes; the copy: 500, text/html, 900 bytes"
    );
}

#[test]
fn who_greets_and_does_no_more_is_found() {
    let said = |then| Behaviour {
        replies: vec![(
            Request { port: 22, kind: RequestKind::Connect },
            Reply::Banner("SSH-2.0-x".to_owned(), then),
        )],
        ..Behaviour::default()
    };
    let control = said(AfterGreeting::GoesOn);
    assert_eq!(causes(&control, &control), [""; 0]);
    assert_eq!(
        causes(&control, &said(AfterGreeting::Ends)),
        [
            "a connection to port 22 gets another answer than as root: the server says \"SSH-2.0-x\", and ends the \
          connection when that is said back to it"
        ]
    );
}

#[test]
fn what_changes_only_with_the_second_start_is_told_as_that() {
    let replies = vec![(get("/"), http(200, 10))];
    let control = Behaviour {
        replies: replies.clone(),
        replies_after_restart: replies.clone(),
        ..Behaviour::default()
    };
    let copy = Behaviour {
        replies,
        replies_after_restart: vec![(get("/"), http(500, 10))],
        ..Behaviour::default()
    };
    assert_eq!(
        causes(&control, &copy),
        [
            "GET http://:8080/ gets another answer than as root, after its second start: 500, text/html, 10 bytes"
        ]
    );
}

#[test]
fn what_fails_as_root_too_is_only_noted() {
    let check = |passed| Behaviour {
        checks: vec![Checked {
            check: "tcp :53".to_owned(),
            passed,
            answer: "connection refused".to_owned(),
        }],
        ..Behaviour::default()
    };
    let comparison = beside(&check(false), &check(false));
    assert_eq!((comparison.obstacles.len(), comparison.notes.len()), (0, 1));
    assert!(!comparison.differs);
    assert_eq!(
        causes(&check(true), &check(false)),
        ["the check \"tcp :53\" fails: connection refused"]
    );
    assert_eq!(beside(&check(true), &check(true)), Comparison::default());
}

#[test]
fn ports_and_processes_are_those_of_root() {
    let inside = |ports: &[u16], names: &[&str]| {
        let tcp = |port: &u16| Listener::Tcp {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: *port,
            process: None,
        };
        let process = |name: &&str| Process { name: (*name).to_owned(), ..Process::default() };
        let inside = Inside {
            listeners: ports.iter().map(tcp).collect(),
            processes: names.iter().map(process).collect(),
            ..Inside::default()
        };
        Behaviour { containers: [("web".to_owned(), inside)].into(), ..Behaviour::default() }
    };
    let control = inside(&[80, 8080, 40_000], &["web", "helper"]);
    let Comparison { obstacles, notes, differs } = beside(&control, &inside(&[8081], &["web"]));
    assert!(differs);
    let found: Vec<_> = obstacles.iter().map(|one| (one.category, one.port)).collect();
    assert_eq!(found, [(Category::PrivilegedPort, Some(80)), (Category::LostFunction, None)]);
    assert_eq!(notes, ["container web: as root it has a process helper, and the copy has none"]);
}

#[test]
fn a_second_start_and_a_reload_are_as_roots() {
    let behaviour = |ready, exit_code, survived| Behaviour {
        restarts: vec![Restart { container: "web".to_owned(), exit_code: Some(exit_code), ready }],
        reloads: vec![Reload { container: "web".to_owned(), survived }],
        ..Behaviour::default()
    };
    let control = behaviour(true, 0, true);
    assert_eq!(causes(&control, &behaviour(true, 143, true)), [""; 0]);
    assert_eq!(causes(&control, &behaviour(false, 0, true)).len(), 1);
    assert_eq!(
        causes(&control, &behaviour(true, 1, false)),
        [
            "it does not survive a reload (SIGHUP), as it does as root",
            "after SIGTERM it ends with exit code 1, and as root with 0",
        ]
    );
    // Who is killed as root needs no grace.
    assert_eq!(causes(&behaviour(true, 137, false), &behaviour(true, 1, false)), [""; 0]);
}

#[test]
fn without_a_control_a_failed_check_and_a_failed_second_start_are_no_proof() {
    let none = BTreeMap::new();
    let copy = |passed, ready| Behaviour {
        checks: vec![Checked {
            check: "tcp :53".to_owned(),
            passed,
            answer: "connection refused".to_owned(),
        }],
        restarts: vec![Restart { container: "web".to_owned(), exit_code: Some(1), ready }],
        ..Behaviour::default()
    };
    assert_eq!(alone(&none, &copy(true, true)), Comparison::default());
    for (passed, ready) in [(false, true), (true, false)] {
        let comparison = alone(&none, &copy(passed, ready));
        assert_eq!((comparison.obstacles.len(), comparison.differs), (1, true), "{passed} {ready}");
    }
}

#[test]
fn the_pod_of_today_has_other_data_and_what_it_does_more_is_told() {
    let tcp =
        |port| Listener::Tcp { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port, process: None };
    let inside = |ports: &[u16]| Inside {
        listeners: ports.iter().copied().map(tcp).collect(),
        ..Inside::default()
    };
    let running = BTreeMap::from([("web".to_owned(), inside(&[80, 8080]))]);
    let containers = BTreeMap::from([("web".to_owned(), inside(&[]))]);
    let Comparison { obstacles, notes, differs } =
        alone(&running, &Behaviour { containers, ..Behaviour::default() });
    assert!(!differs);
    assert_eq!(obstacles.len(), 1);
    assert_eq!((obstacles[0].port, obstacles[0].fatal), (Some(80), false));
    assert_eq!(notes, ["container web: as root it listens on port 8080, and the copy does not"]);
}
