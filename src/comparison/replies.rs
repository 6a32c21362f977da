//! What ports answer to what they are asked.

use super::Difference;
use crate::model::behaviour::{AfterGreeting, Behaviour, Reply, Request, RequestKind};

/// How much longer or shorter a body may be that says the same: dates, names and ids differ.
const MAX_GROWTH: u64 = 4;

/// A body below this many bytes is not compared by its length.
const MIN_SIZE: u64 = 512;

/// Answers that differ from root's. What root answers otherwise each time is not compared.
pub(super) fn compare(control: &Behaviour, copy: &Behaviour) -> Vec<Difference> {
    let before = lost(control, &copy.replies, "");
    if !before.is_empty() {
        return before;
    }
    lost(control, &copy.replies_after_restart, ", after its second start")
}

fn lost(control: &Behaviour, replies: &[(Request, Reply)], when: &str) -> Vec<Difference> {
    let differences = replies.iter().filter_map(|(request, reply)| {
        let first = found(&control.replies, request)?;
        // Without a second answer the first stands alone.
        let second = found(&control.replies_after_restart, request).unwrap_or(first);
        let is_steady = is_same(first, second);
        if !is_steady || is_same(first, reply) {
            return None;
        }
        let asked = told(request);
        Some(Difference::Lost {
            container: None,
            cause: format!("{asked} gets another answer than as root{when}: {}", said(reply)),
            evidence: format!("{asked}: as root: {}; the copy: {}", said(first), said(reply)),
        })
    });
    differences.collect()
}

fn found<'r>(replies: &'r [(Request, Reply)], request: &Request) -> Option<&'r Reply> {
    replies.iter().find(|(known, _)| known == request).map(|(_, reply)| reply)
}

/// Whether two answers say the same.
#[must_use]
pub fn is_same(one: &Reply, other: &Reply) -> bool {
    match (one, other) {
        (
            Reply::Http { status, content_type, size },
            Reply::Http { status: status_2, content_type: type_2, size: size_2 },
        ) => {
            let (small, large) = (size.min(size_2), size.max(size_2));
            let is_alike = *large < MIN_SIZE || *large <= small.saturating_mul(MAX_GROWTH);
            (status, content_type) == (status_2, type_2) && is_alike
        }
        (Reply::Banner(..), Reply::Banner(..)) | (Reply::Dns { .. }, Reply::Dns { .. }) => {
            one == other
        }
        (Reply::Open, Reply::Open) | (Reply::Failed(_), Reply::Failed(_)) => true,
        _ => false,
    }
}

fn told(request: &Request) -> String {
    let port = request.port;
    match &request.kind {
        RequestKind::Connect => format!("a connection to port {port}"),
        RequestKind::Dns => format!("a question to the name server on port {port}"),
        RequestKind::Http { tls, method, path, body } => {
            let scheme = if *tls { "https" } else { "http" };
            let with = if *body > 0 { format!(" with {body} bytes") } else { String::new() };
            format!("{method} {scheme}://:{port}{path}{with}")
        }
    }
}

fn said(reply: &Reply) -> String {
    match reply {
        Reply::Http { status, content_type, size } => {
            let what = content_type.as_deref().unwrap_or("no type");
            format!("{status}, {what}, {size} bytes")
        }
        Reply::Banner(word, then) => {
            let then = match then {
                AfterGreeting::GoesOn => "goes on",
                AfterGreeting::Ends => "ends the connection",
                AfterGreeting::Waits => "waits",
            };
            format!("the server says {word:?}, and {then} when that is said back to it")
        }
        Reply::Dns { code, records } => format!("code {code}, {records} records"),
        Reply::Open => "the server waits".to_owned(),
        Reply::Failed(why) => why.clone(),
    }
}
