//! What a copy must do beside being Ready, as a user gives it.
//!
//! ```text
//! http :8080/healthz 200
//! https POST :8443/upload 2MiB 2xx
//! tcp :5432
//! exec: sh -c 'test -s /data/index'
//! exec db: pg_isready
//! ```

use std::fmt;
use std::str::FromStr;

/// The annotation of a workload or of its pod template that holds checks, one a line.
pub const ANNOTATION: &str = "nonroot/check";

/// The largest body that a check sends, in bytes.
const MAX_BODY: u64 = 64 << 20;

/// One check, with the text that it was given by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofCheck {
    pub text: String,
    pub action: Action,
}

/// What is done, and what must come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Http {
        tls: bool,
        method: Method,
        port: u16,
        path: String,
        /// Bytes of the body.
        body: u64,
        expected: Statuses,
    },
    /// A connection is taken.
    Tcp { port: u16 },
    /// A command ends with 0; in the first container without a name.
    Exec { container: Option<String>, command: Vec<String> },
}

/// A method of HTTP (RFC 9110, 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
}

impl Method {
    const ALL: [Method; 5] = [Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Status codes of HTTP from a first to a last: `200`, or `2xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statuses {
    pub first: u16,
    pub last: u16,
}

impl Statuses {
    /// What a probe of the kubelet takes for success (`pkg/probe/http/http.go`).
    const SUCCESS: Statuses = Statuses { first: 200, last: 399 };

    #[must_use]
    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

/// The checks of an annotation's value.
///
/// # Errors
/// The first line that is no check, and why.
pub fn of_annotation(value: &str) -> Result<Vec<ProofCheck>, String> {
    value.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::parse).collect()
}

impl FromStr for ProofCheck {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let action = match word {
            "http" | "https" => http(word == "https", rest),
            "tcp" => port(rest.trim()).map(|port| Action::Tcp { port }),
            _ if word.starts_with("exec") => exec(text),
            _ => Err("it begins with http, https, tcp or exec:".to_owned()),
        };
        match action {
            Ok(action) => Ok(ProofCheck { text: text.to_owned(), action }),
            Err(why) => Err(format!("{text:?} is no check: {why}")),
        }
    }
}

fn http(tls: bool, rest: &str) -> Result<Action, String> {
    let mut words = rest.split_whitespace().peekable();
    let named = words.peek().and_then(|word| Method::ALL.into_iter().find(|m| m.as_str() == *word));
    if named.is_some() {
        words.next();
    }
    let target = words.next().ok_or("a port is missing, as in :8080/healthz")?;
    let (number, path) = target.split_once('/').unwrap_or((target, ""));
    let (mut body, mut expected) = (0, Statuses::SUCCESS);
    for word in words {
        if let Some(statuses) = statuses(word) {
            expected = statuses;
        } else if let Some(size) = size(word) {
            body = size;
        } else {
            return Err(format!("{word} is neither a status, as 200 or 2xx, nor a size, as 2MiB"));
        }
    }
    let method = named.unwrap_or(if body > 0 { Method::Post } else { Method::Get });
    let (port, path) = (port(number)?, format!("/{path}"));
    Ok(Action::Http { tls, method, port, path, body, expected })
}

/// `:8080`.
fn port(text: &str) -> Result<u16, String> {
    let number = text.strip_prefix(':').and_then(|number| number.parse().ok());
    number.filter(|port| *port > 0).ok_or(format!("{text:?} is no port, as :8080"))
}

/// `200`, or `2xx`.
fn statuses(word: &str) -> Option<Statuses> {
    let is_class = word.len() == 3 && word.ends_with("xx");
    let first: u16 = if is_class { word[..1].parse().ok()? } else { word.parse().ok()? };
    match is_class {
        true => {
            (1..6).contains(&first).then(|| Statuses { first: first * 100, last: first * 100 + 99 })
        }
        false => (100..600).contains(&first).then_some(Statuses { first, last: first }),
    }
}

/// `30kB`, `2MiB`, `100B`.
fn size(word: &str) -> Option<u64> {
    let at = word.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = word[..at].parse().ok()?;
    let unit = match &word[at..] {
        "B" => 1,
        "kB" => 1000,
        "MB" => 1_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.checked_mul(unit).filter(|size| *size <= MAX_BODY)
}

/// `exec: COMMAND`, `exec CONTAINER: COMMAND`.
fn exec(text: &str) -> Result<Action, String> {
    let (head, command) = text.split_once(':').ok_or("a colon is missing, as in exec: true")?;
    let container = head.strip_prefix("exec").unwrap_or_default().trim();
    let words = shlex::split(command).ok_or("a quote is not closed")?;
    if words.is_empty() {
        return Err("the command is missing".to_owned());
    }
    let container = (!container.is_empty()).then(|| container.to_owned());
    Ok(Action::Exec { container, command: words })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(text: &str) -> Result<Action, String> {
        text.parse::<ProofCheck>().map(|check| check.action)
    }

    #[test]
    fn what_a_user_writes_is_understood() {
        let http = |method, path: &str, body, first, last| Action::Http {
            tls: false,
            method,
            port: 8080,
            path: path.to_owned(),
            body,
            expected: Statuses { first, last },
        };
        assert_eq!(action("http :8080"), Ok(http(Method::Get, "/", 0, 200, 399)));
        assert_eq!(action("http :8080/a/b 204"), Ok(http(Method::Get, "/a/b", 0, 204, 204)));
        assert_eq!(
            action(" http POST :8080/upload 2MiB 2xx"),
            Ok(http(Method::Post, "/upload", 2 << 20, 200, 299))
        );
        assert_eq!(action("http :8080/x 30kB"), Ok(http(Method::Post, "/x", 30_000, 200, 399)));
        assert_eq!(action("tcp :5432"), Ok(Action::Tcp { port: 5432 }));
        let command = |container: Option<&str>, words: &[&str]| Action::Exec {
            container: container.map(str::to_owned),
            command: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        assert_eq!(action("exec: sh -c 'a: b'"), Ok(command(None, &["sh", "-c", "a: b"])));
        assert_eq!(action("exec db: pg_isready"), Ok(command(Some("db"), &["pg_isready"])));
    }

    #[test]
    fn what_is_none_says_why() {
        for (text, why) in [
            ("ping :80", "it begins with http, https, tcp or exec:"),
            ("http", "a port is missing"),
            ("http 8080/", "is no port"),
            ("http :8080/ often", "neither a status"),
            ("http :8080/ 99GiB", "neither a status"),
            ("tcp :0", "is no port"),
            ("exec true", "a colon is missing"),
            ("exec:", "the command is missing"),
            ("exec: sh -c 'x", "a quote is not closed"),
        ] {
            let error = action(text).expect_err(text);
            assert!(error.contains(why), "{error}");
        }
        let of_two = of_annotation("http :80/\n\ntcp :53\n").map(|checks| checks.len());
        assert_eq!(of_two, Ok(2));
        assert!(of_annotation("http :80/\nnothing").is_err());
    }
}
