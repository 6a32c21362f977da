//! Ports in a message.

use std::sync::LazyLock;

use regex::Regex;

use super::errno::compile;

/// The first port that `text` gives with an address, or by name.
pub(crate) fn port(text: &str) -> Option<u16> {
    ports(text).next().map(|(port, _)| port)
}

/// Every port of `text`, with the byte offset of its digits.
pub(crate) fn ports(text: &str) -> impl Iterator<Item = (u16, usize)> {
    static PORT: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r#"(?ix) (?: (?:\d{1,3}\.){3}\d{1,3} | \[[0-9a-f:.%\w]*\] | \[?:{2,3} | \*\]? | \blocalhost | \bany | <null> | \b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,} )
                (?: : | \# | /(?:tcp|udp)?/? ) (\d{1,5}) (?: \b )
            | \b port s? [\s"'=:\#(\[]* (?:number\s*|is\s*|tcp\s*|udp\s*)? (\d{1,5}) \b
            | [('\[] (?:'[^']*'|"[^"]*"|[\w.:]*) ,\s* (\d{1,5}) \s* [)\]]
            | (?: ^ | [\s"'=(@<\[] ) (?:[a-z]+://)? (?:[\w.-]*|[*+]) : (\d{1,5}) (?: [\s"':),;>\].] | $ )
            | \b (?:tcp|udp)[46]? [\s:/]* (?:[\w.-]*:)? (\d{1,5}) \b
            | \[:{2,3}(\d{1,5})\]
            | \b (?:bind|listen(?:ing)?(?:\s+on)?)\b [\s:]* (\d{1,5}) \b (?: [^.\d] | $ )
            | \b (?:HTTP/1\.1|https?|nio2?|apr|openssl|ajp)-(\d{1,5}) \b
            | \b (\d{1,5}) / (?:tcp|udp) \b
            | \b AF_INET6?[^0-9]{1,20} (\d{1,5}) \b (?: [^.\d] | $ )"#,
        )
    });
    PORT.captures_iter(text).filter_map(move |captures| {
        let all = captures.get(0)?;
        let digits = captures.iter().skip(1).flatten().next()?;
        let before = &text[..all.start()];
        let place_in_code = SOURCE.is_match(&text[..digits.start()])
            || (before.ends_with('/') && !before.ends_with("//"));
        let host = text[all.start()..digits.start()].trim_matches(|c: char| !c.is_alphanumeric());
        // `4:04` is a time.
        let time = !host.is_empty() && host.len() < 3 && host.bytes().all(|b| b.is_ascii_digit());
        let port =
            digits.as_str().parse().ok().filter(|port| *port != 0 && !place_in_code && !time)?;
        Some((port, digits.start()))
    })
}

/// `FILE.EXT:` before a number makes it a line of code or configuration.
static SOURCE: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"\.(?:go|c|cc|cpp|h|rs|py|rb|js|mjs|ts|tsx|jsx|java|kt|scala|cs|php|pl|lua|erl|ex|exs|hs|ml|cfg|conf|ini|ya?ml|toml|json|sh|lineno):$",
    )
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_beside_addresses_and_words() {
        for (text, expected) in [
            ("bind() to 0.0.0.0:80 failed", Some(80)),
            ("bind() to [::]:443 failed", Some(443)),
            ("listen tcp :80: bind: permission denied", Some(80)),
            ("cannot bind socket (Permission denied) for [:::80]", Some(80)),
            ("Can't connect to ('0.0.0.0', 80)", Some(80)),
            ("failed to create listening socket for port 53: no", Some(53)),
            ("Could not create server TCP listening socket *:80: bind", Some(80)),
            ("couldn't add command channel 127.0.0.1#953: permission denied", Some(953)),
            ("listen EACCES: permission denied 0.0.0.0:80", Some(80)),
            ("bind failed on http://+:80", Some(80)),
            (
                "Error binding socket; addr='AF_INET(0.0.0.0:601)', error='Permission denied (13)'",
                Some(601),
            ),
            ("file.go:91 took 12:30", None),
            ("Failed to bind to address http://[::]:80: permission", Some(80)),
        ] {
            assert_eq!(port(text), expected, "{text}");
        }
    }
}
