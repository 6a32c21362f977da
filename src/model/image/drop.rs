//! Which user a program that starts as root changes to: what the image's command line and its
//! entrypoint script say.

use crate::model::accounts::Identity;
use crate::model::image::Image;
use crate::model::launcher::{Launcher, UserArgument};

/// Options by which servers take the user to drop to. What follows counts only where /etc/passwd
/// has it: `-u` is an option of many.
const OPTIONS: [&str; 4] = ["-u", "--user", "--setuser", "--uid"];

impl Image {
    /// The users that the command line drops to, then those of the script that it starts; root and
    /// users that the image does not have left out. `command` is the pod's own, empty where the
    /// image's holds.
    #[must_use]
    pub fn drops(&self, command: &[String]) -> Vec<Identity> {
        let mut found: Vec<Identity> = Vec::new();
        for line in self.lines(command) {
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            let identities =
                in_words(&line).into_iter().filter_map(|user| self.accounts.resolve(user).ok());
            for identity in
                identities.filter(|identity| identity.uid != 0 && identity.name.is_some())
            {
                if !found.contains(&identity) {
                    found.push(identity);
                }
            }
        }
        found
    }

    /// The words of the command line, then those of each line of the script that it starts, if it
    /// starts one. `command` is the pod's own, empty where the image's holds.
    #[must_use]
    pub fn lines(&self, command: &[String]) -> Vec<Vec<String>> {
        let own = || [self.config.entrypoint.as_slice(), &self.config.command].concat();
        let mut lines = vec![if command.is_empty() { own() } else { command.to_vec() }];
        let script = self
            .program(command)
            .and_then(|program| self.tree.content_of(program))
            .unwrap_or_default();
        if script.starts_with(b"#!") {
            let text = String::from_utf8_lossy(script);
            lines.extend(text.lines().map(str::trim).filter(|line| !line.starts_with('#')).map(
                |line| {
                    let split = line.split(|c: char| c.is_whitespace() || "\"'`;()".contains(c));
                    split.filter(|word| !word.is_empty()).map(str::to_owned).collect()
                },
            ));
        }
        lines
    }
}

/// What stands in a command line where a user would.
fn in_words<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut users = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let rest = &words[i + 1..];
        if let Some(launcher) = Launcher::of_command(word) {
            users.extend(match launcher.user {
                UserArgument::First => rest.first().copied(),
                UserArgument::Option(options) => rest
                    .iter()
                    .enumerate()
                    .find_map(|(j, word)| value(word, rest.get(j + 1), options)),
            });
        } else {
            users.extend(value(word, rest.first(), &OPTIONS));
        }
    }
    users
}

/// The value of `--option=VALUE` or `--option VALUE`.
fn value<'a>(word: &'a str, next: Option<&&'a str>, options: &[&str]) -> Option<&'a str> {
    options.iter().find_map(|option| match word.strip_prefix(option)? {
        "" => next.copied(),
        rest => rest.strip_prefix('='),
    })
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn launchers_and_options_name_users() {
        let users = |line: &str| in_words(&line.split(' ').collect::<Vec<_>>()).join(" ");
        assert_eq!(users("exec gosu redis:redis redis-server"), "redis:redis");
        assert_eq!(users("/sbin/su-exec web server"), "web");
        assert_eq!(users("setpriv --reuid=101 --regid 101 nginx"), "101");
        assert_eq!(users("setpriv --clear-groups --reuid nginx nginx"), "nginx");
        assert_eq!(users("su - postgres -c initdb"), "postgres");
        assert_eq!(users("chroot --userspec=a:b / x"), "a:b");
        assert_eq!(users("slapd -h ldap:/// -u openldap -g openldap"), "openldap");
        assert_eq!(users("mariadbd --user=mysql --userland"), "mysql");
        assert_eq!(users("gosu"), "");
        assert_eq!(users("python3 -u app.py"), "app.py", "which no passwd has");
    }
}
