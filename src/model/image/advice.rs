//! What a Dockerfile would say differently.

use crate::model::capability::{Capability, Set};
use crate::model::image::tree::Repeated;
use crate::model::image::{Image, Port};

/// The uid and gid for an image that has no user of its own.
const DEFAULT_USER: u32 = 1000;

/// What to add to a port below 1024: 80 becomes 8080, 443 becomes 8443, 53 becomes 8053.
const ABOVE: u16 = 8000;

/// One line for the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    pub line: String,
    /// Why, in one sentence.
    pub why: String,
    /// Bytes that the image loses.
    pub saves: u64,
}

impl Image {
    /// What would make the image fit for non-root, and smaller where a change of owner made it
    /// larger. An image that needs nothing gets nothing.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let mut advice: Vec<Advice> = self.user_advice().into_iter().collect();
        let exposed = &self.config.exposed_ports;
        let needed = |port: &&Port| {
            port.privileged()
                && !exposed.contains(&Port { number: ABOVE + port.number, ..(*port).clone() })
        };
        advice.extend(exposed.iter().filter(needed).map(unprivileged));
        advice.extend(self.capability_advice());
        advice.extend(self.layers.iter().enumerate().flat_map(|(number, layer)| {
            layer
                .chowned
                .iter()
                .map(move |(repeated, bytes)| self.chown_advice(number, repeated, *bytes))
        }));
        advice
    }

    fn user_advice(&self) -> Option<Advice> {
        let written = &self.config.user;
        let (uid, gid, why) = match self.user() {
            Ok(user) if user.uid == 0 => match self.program_user() {
                Some(user) => (
                    user.uid,
                    user.gid,
                    format!(
                        "the image runs as root; {} is most likely the program's own user",
                        user.name
                    ),
                ),
                None => (DEFAULT_USER, DEFAULT_USER, "the image runs as root".to_owned()),
            },
            Ok(user) if written.split(':').next() != Some(user.uid.to_string().as_str()) => (
                user.uid,
                user.gid,
                "the kubelet cannot tell that a name is not root: runAsNonRoot needs the number"
                    .to_owned(),
            ),
            Ok(_) => return None,
            Err(error) => (
                DEFAULT_USER,
                DEFAULT_USER,
                format!("no container starts with USER {written}: {error}"),
            ),
        };
        Some(Advice { line: format!("USER {uid}:{gid}"), why, saves: 0 })
    }

    /// Under `drop: [ALL]` a file cannot be executed when it has a capability in effect that is not
    /// added again, and NET_BIND_SERVICE is the one that the restricted standard lets a pod
    /// add.
    fn capability_advice(&self) -> impl Iterator<Item = Advice> {
        let may_stay = Set::of(&[Capability::NET_BIND_SERVICE]);
        self.privileged_files().into_iter().filter_map(move |path| {
            let granted = self.tree.get(path)?.attributes.capabilities?;
            let path = self.tree.paths().display(path);
            (granted.effective && !granted.permitted.is_subset(may_stay)).then(|| Advice {
                line: format!("RUN setcap -r {path}"),
                why: format!("{path} has {granted}, and cannot even be executed when the pod drops ALL capabilities"),
                saves: 0,
            })
        })
    }

    fn chown_advice(&self, number: usize, repeated: &Repeated, bytes: u64) -> Advice {
        let instruction =
            |number: usize| self.layers.get(number).map_or("", |layer| layer.command.as_str());
        let first = instruction(repeated.from);
        let copies = first.split_whitespace().next().filter(|word| matches!(*word, "COPY" | "ADD"));
        let line = match (copies, repeated.owner) {
            (Some(copy), Some((uid, gid))) => format!("{copy} --chown={uid}:{gid} ..."),
            (Some(copy), None) => format!("{copy} --chmod=..."),
            (None, Some((uid, gid))) => format!("RUN ... && chown -R {uid}:{gid} ..."),
            (None, None) => "RUN ... && chmod ...".to_owned(),
        };
        let what = if repeated.owner.is_some() { "owner" } else { "mode" };
        let later = if instruction(number).is_empty() {
            String::new()
        } else {
            format!(" ({})", instruction(number))
        };
        let why = format!(
            "layer {number}{later} repeats files of layer {} only for their {what}: set it where they are made",
            repeated.from
        );
        Advice { line, why, saves: bytes }
    }
}

fn unprivileged(port: &Port) -> Advice {
    let Port { number, protocol } = port;
    let suffix = if protocol == "tcp" { String::new() } else { format!("/{protocol}") };
    Advice {
        line: format!("EXPOSE {}{suffix}", ABOVE + number),
        why: format!(
            "only root binds port {number} everywhere: listen on another, and let the Service keep {number}"
        ),
        saves: 0,
    }
}
