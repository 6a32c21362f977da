//! Paths in a message.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::errno::compile;

/// A path as the message writes it, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessagePath<'t> {
    pub text: &'t str,
    pub span: Range<usize>,
}

const OPEN: &str = "\"'`‘“„«";
const CLOSE: &str = "\"'`’”“»";

/// An absolute path, or one that starts with a dot or a tilde: in quotes of any kind, or bare.
static ROOTED: LazyLock<Regex> = LazyLock::new(|| {
    compile(&format!(
        r#"(?x) (?: ^ | [\s=:,;(\[{{<>|@] | -[a-zA-Z]
            | (?P<open>[{OPEN}]) )
        (?: (?P<quoted> (?:\.{{1,2}}|~)? / [^{CLOSE}\r\n]* ) (?P<close>[{CLOSE}])
          | (?P<bare> (?:\.{{1,2}}|~)? / [^\s{OPEN}{CLOSE},;()\[\]{{}}<>|]* ) )"#
    ))
});

/// Every rooted path of `text`, in order.
pub(crate) fn paths(text: &str) -> Vec<MessagePath<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(captures) = ROOTED.captures_at(text, at) {
        let Some(all) = captures.get(0) else { break };
        // Quotes count only as a pair: in `/a 'b` the word ends at the space.
        let quoted = captures.name("open").and(captures.name("quoted"));
        let path = match quoted {
            Some(quoted) => {
                // `"/x: Permission denied"` is a whole message in quotes.
                let text = quoted.as_str().split(": ").next().unwrap_or_default();
                Some(MessagePath { text, span: quoted.start()..quoted.start() + text.len() })
            }
            None => {
                let start = captures
                    .name("quoted")
                    .or(captures.name("bare"))
                    .map_or(all.start(), |m| m.start());
                bare(text, start)
            }
        };
        let end = path.as_ref().map_or(all.end(), |path| path.span.end);
        at = next_boundary(text, end.max(all.start() + 1));
        if let Some(path) = path.filter(|path| is_plausible(text, path)) {
            found.push(path);
        }
        if at > text.len() {
            break;
        }
    }
    found
}

fn next_boundary(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// The bare path that starts at `start`, without the punctuation of the sentence around it.
fn bare(text: &str, start: usize) -> Option<MessagePath<'_>> {
    let rest = text.get(start..)?;
    let stop = rest.find(|c: char| {
        c.is_whitespace() || OPEN.contains(c) || CLOSE.contains(c) || ",;()[]{}<>|".contains(c)
    });
    let word = &rest[..stop.unwrap_or(rest.len())];
    // `/x:3:` and `/x:/y` end at the colon; so does `/x:`.
    let word = word.split(':').next().unwrap_or(word);
    let word = word.trim_end_matches(['.', '!', '?', '\\', '*', '=']);
    let word = if word.is_empty() { "/" } else { word };
    text.get(start..start + word.len())
        .map(|text| MessagePath { text, span: start..start + word.len() })
}

fn is_plausible(text: &str, path: &MessagePath<'_>) -> bool {
    let before = text[..path.span.start]
        .trim_end_matches(|c: char| OPEN.contains(c) || c == '(' || c == '[');
    // The `//host/path` of a URL, a `N/A`, an option such as `/help`, and sed's or a regular
    // expression's slashes.
    let url =
        path.text.starts_with("//") && before.ends_with(|c: char| c == ':' || c.is_alphanumeric());
    let fraction =
        before.ends_with(|c: char| c.is_ascii_alphanumeric()) && path.span.start == before.len();
    // `bss_file.c:308` is where the program's own source complains.
    let after = text[path.span.end..].strip_prefix(':').and_then(|rest| rest.chars().next());
    let is_source = [".c", ".cc", ".cpp", ".cxx", ".h", ".hpp"]
        .iter()
        .any(|ending| path.text.ends_with(ending))
        && after.is_some_and(|next| next.is_ascii_digit());
    // `192.0.2.7:/export` is another machine's.
    static REMOTE: LazyLock<Regex> =
        LazyLock::new(|| compile(r"(?:^|[\s'\x22(=])\d{1,3}(?:\.\d{1,3}){3}:$"));
    let remote =
        path.span.start == before.len() && before.ends_with(':') && REMOTE.is_match(before);
    !url && !fraction
        && !remote
        && !is_source
        && path.text.len() < 4096
        && !path.text.starts_with("/(")
        && !path.text.contains("://")
}

/// A word in quotes that has no slash at its start, such as a relative path.
pub(crate) fn quoted_word(text: &str) -> Option<MessagePath<'_>> {
    static WORD: LazyLock<Regex> = LazyLock::new(|| {
        compile(&format!(r"[{OPEN}]([^\s{OPEN}{CLOSE}/][^{OPEN}{CLOSE}\s:=]*)[{CLOSE}]"))
    });
    let word = WORD.captures(text)?.get(1).filter(|word| !is_class(word.as_str()))?;
    Some(MessagePath { text: word.as_str(), span: word.range() })
}

/// The bare word that is all of `text` but for punctuation: `mkdir DIR: Permission denied` between
/// verb and errno.
pub(crate) fn only_word(text: &str) -> Option<MessagePath<'_>> {
    static ONLY: LazyLock<Regex> =
        LazyLock::new(|| compile(r"^[\s:(\[]*([\w.@%+~-][\w./@%+~=-]*)[\s:,)\]]*$"));
    let word = ONLY.captures(text)?.get(1)?;
    let text = word.as_str().trim_end_matches('.');
    (!text.is_empty()).then(|| MessagePath { text, span: word.start()..word.start() + text.len() })
}

/// The file name that ends `text` but for a colon: `Error loading shared library libx.so.2:
/// Permission denied`.
pub(crate) fn last_file_name(text: &str) -> Option<MessagePath<'_>> {
    static LAST: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r#"(?:^|[\s"'`(\[=])([\w@%+~-][\w./@%+~-]*[./][\w@%+~-][\w./@%+~-]*?)["'`)\]]?[:,]?\s*[\[(]?$"#,
        )
    });
    let word = LAST.captures(text)?.get(1).filter(|word| is_file_name(word.as_str()))?;
    Some(MessagePath { text: word.as_str(), span: word.range() })
}

/// What a server calls its routes, and no file is called.
pub(crate) fn is_route(path: &str) -> bool {
    static ROUTE: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)^/(?:api|apis|rest|graphql|oauth2?|auth|login|user|users|healthz?|v\d+)(?:/|$)",
        )
    });
    ROUTE.is_match(path)
}

/// The name of a class or of a function of one: `java.io.IOException`, `Errno::EACCES`.
fn is_class(word: &str) -> bool {
    let (before, last) = word.rsplit_once('.').unwrap_or(("", word));
    let is_camel = last.starts_with(|c: char| c.is_ascii_uppercase())
        && last.contains(|c: char| c.is_ascii_lowercase());
    word.contains("::") || (!before.is_empty() && is_camel && !before.contains('/'))
}

/// Whether a bare word has the shape of a file's name: a directory before it, or an extension
/// behind it. Names of classes, hosts, versions and `read/write` have not.
pub(crate) fn is_file_name(word: &str) -> bool {
    const HOSTS: [&str; 8] =
        ["com", "org", "net", "local", "internal", "svc", "cluster", "example"];
    const PAIRS: [&str; 12] = [
        "read/write",
        "create/write",
        "open/create",
        "and/or",
        "input/output",
        "i/o",
        "n/a",
        "user/group",
        "uid/gid",
        "owner/group",
        "tcp/ip",
        "client/server",
    ];
    let word = word.trim_end_matches(':');
    if is_class(word) || word.contains('@') || PAIRS.contains(&word.to_ascii_lowercase().as_str()) {
        return false;
    }
    if word.contains('/') {
        let is_pair = word.bytes().all(|b| b.is_ascii_uppercase() || b == b'/');
        return !is_pair && (!word.ends_with('/') || word.len() > 2);
    }
    let Some((name, extension)) = word.rsplit_once('.') else { return false };
    let is_number = word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    // `libx.so.2`
    let is_library = name.contains(".so") && extension.bytes().all(|b| b.is_ascii_digit());
    let is_extension = (1..=10).contains(&extension.len())
        && extension.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && extension.bytes().any(|b| b.is_ascii_alphabetic());
    !is_number && (is_library || name.is_empty() || (is_extension && !HOSTS.contains(&extension)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_quotes_of_every_kind_and_bare() {
        for (text, expected) in [
            ("mkdir() \"/var/cache/nginx\" failed", vec!["/var/cache/nginx"]),
            ("cannot create directory ‘/a b’: no", vec!["/a b"]),
            ("on file `/bin/vault' (x", vec!["/bin/vault"]),
            ("open /a/b: permission denied", vec!["/a/b"]),
            ("x (/run/php/php8.2-fpm.pid).: no", vec!["/run/php/php8.2-fpm.pid"]),
            ("chroot(/var/lib/haproxy).", vec!["/var/lib/haproxy"]),
            ("file_put_contents(/a/b.txt): Failed", vec!["/a/b.txt"]),
            (
                "./usr/x: 647: /usr/bin/y: cannot create /var/z.err: no",
                vec!["./usr/x", "/usr/bin/y", "/var/z.err"],
            ),
            ("see https://example.org/x and N/A", vec![]),
            ("error: could not lock config file //.gitconfig: no", vec!["//.gitconfig"]),
            ("tried [/usr/share/data]; maybe", vec!["/usr/share/data"]),
            ("rename '/a' -> '/b'", vec!["/a", "/b"]),
            ("Cannot open '/dev/stdout' for", vec!["/dev/stdout"]),
            ("/ $ mkdir x", vec!["/"]),
            ("{error,\"Error when reading /var/lib/.cookie: eacces\"}", vec!["/var/lib/.cookie"]),
        ] {
            let found: Vec<_> = paths(text).into_iter().map(|path| path.text).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_bare_word_is_a_file_by_its_shape() {
        for word in [
            "rules.log",
            "libx.so.2",
            "maildrop/812.9",
            "tmp/pids/server.pid",
            ".env",
            "META-INF/MANIFEST.MF",
        ] {
            assert!(is_file_name(word), "{word}");
        }
        for word in [
            "java.io.IOException",
            "Errno::EACCES",
            "1.2.3",
            "db.example.com",
            "thing",
            "read/write",
        ] {
            assert!(!is_file_name(word), "{word}");
        }
    }
}
