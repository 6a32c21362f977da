//! The control: a copy of the workload as it is, that the others are compared with.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::pod::names;
use super::{Progress, Trial};
use crate::model::behaviour::Behaviour;
use crate::search::End;

/// What a copy is used for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role<'b> {
    /// Others are compared with it.
    Control,
    /// It is compared with the control, which did this.
    Beside(&'b Behaviour),
    /// There is no control.
    Alone,
}

impl<'b> Role<'b> {
    pub(super) fn control(self) -> Option<&'b Behaviour> {
        match self {
            Role::Beside(control) => Some(control),
            Role::Control | Role::Alone => None,
        }
    }
}

/// What the control showed.
#[derive(Debug, Clone, Default)]
pub(super) struct Control {
    pub(super) behaviour: Behaviour,
    pub(super) startup_time: Duration,
    /// uid and gid of each container's first process, as the runtime reports it.
    pub(super) users: BTreeMap<String, (u32, u32)>,
}

impl Trial<'_> {
    /// Runs an object, the workload as it is or as it would be as root, and uses it. Its pod is
    /// removed before this returns.
    ///
    /// # Errors
    /// Why there is none, in a sentence.
    pub(super) async fn control(&self, object: &Value) -> Result<Control, String> {
        if !self.options.control {
            return Err("no copy as root was made to compare with (--no-control)".to_owned());
        }
        let name = self.pod_name("control");
        let pod = self.copy(object, &name);
        let refused = |why: &str| format!("no copy as root could be made to compare with: {why}");
        match self.create(&pod).await {
            Ok(None) => {}
            Ok(Some(outcome)) => {
                let why = outcome.obstacles.first().map_or("it is refused", |one| &one.cause);
                return Err(refused(why));
            }
            Err(error) => return Err(refused(&error.to_string())),
        }
        let control = self.controlled(&name, &pod).await;
        self.remove(&name).await;
        control
    }

    async fn controlled(&self, name: &str, pod: &Value) -> Result<Control, String> {
        let end =
            self.watched(name, pod, Duration::ZERO).await.map_err(|error| error.to_string())?;
        if end != End::Works {
            return Err(
                "the copy as root does not become Ready itself, so nothing is compared with it"
                    .to_owned(),
            );
        }
        let startup_time = self.startup_time_of(name).await;
        let mut behaviour = match self.runs_to_an_end {
            true => Behaviour::default(),
            false => self.exercise(name, pod, Role::Control).await,
        };
        behaviour.refusals = self.refusals(name, &|_| None).await;
        if !behaviour.restarts.iter().all(|restart| restart.ready) {
            (self.progress)(Progress::Note(
                "as root it does not start a second time over its own files".to_owned(),
            ));
        }
        let users = self.users(name, names(pod)).await.into_iter().collect();
        Ok(Control { behaviour, startup_time, users })
    }
}
