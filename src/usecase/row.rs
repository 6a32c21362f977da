//! One workload of a scan: what is reported of it, what was found, and what it accepts itself.

use std::collections::BTreeMap;

use super::explained::{explained, explained_by_kubevirt};
use super::findings;
use crate::foresight;
use crate::model::acceptance::workload_key;
use crate::model::finding::Finding;
use crate::model::identity::{Origin, User};
use crate::model::obstacle::Obstacle;
use crate::model::podsecurity::{Level, Verdicts};
use crate::model::virtual_machine::VirtualMachines;
use crate::model::volume::{self, SharedVolume, Storage};
use crate::model::workload::Workload;
use crate::output::image::ImageReport;
use crate::output::report;

/// A workload of the report.
pub(super) struct Row {
    /// Without its findings: they may still be accepted.
    workload: report::Workload,
    pub(super) findings: Vec<Finding>,
    /// Its annotations and its pod template's.
    pub(super) annotations: BTreeMap<String, String>,
}

/// What else a workload is judged by.
pub(super) struct Surroundings {
    levels: foresight::se_linux::Shared,
    shared: Vec<SharedVolume>,
    pub(super) storage: Storage,
    pub(super) machines: VirtualMachines,
}

impl Surroundings {
    /// What the workloads of a scope tell of each other; the rest must be read.
    pub(super) fn of(workloads: &[Workload]) -> Self {
        Surroundings {
            levels: foresight::se_linux::Shared::among(workloads),
            shared: volume::shared(workloads),
            storage: Storage::default(),
            machines: VirtualMachines::default(),
        }
    }
}

impl Row {
    /// Judges a workload. `diagnosed` are the obstacles that its logs tell; `images` tell the users
    /// that nothing else does. The workload is completed with them.
    pub(super) fn new(
        workload: &mut Workload,
        verdicts: Verdicts,
        mut diagnosed: Vec<Obstacle>,
        surroundings: &Surroundings,
        images: &[ImageReport],
        level: Level,
    ) -> Row {
        foresight::devices::recognise(&mut diagnosed, &workload.spec);
        let mut foreseen = foresight::of_spec(workload, &surroundings.levels);
        foreseen.extend(foresight::volumes(workload, &surroundings.storage, &surroundings.shared));
        let of_machine = foresight::virtual_machine(workload, &surroundings.machines);
        let is_known =
            |obstacle: &Obstacle| diagnosed.iter().any(|known| is_same_place(known, obstacle));
        foreseen.retain(|obstacle| !is_known(obstacle));
        diagnosed.extend(foreseen);
        learn(workload, images);
        let obstacles = diagnosed.iter().chain(of_machine.iter().map(|(obstacle, _)| obstacle));
        let findings = findings::of(workload, &verdicts, obstacles, level);
        let explained = diagnosed.into_iter().map(explained);
        let of_machine = of_machine
            .into_iter()
            .map(|(obstacle, remedy)| explained_by_kubevirt(obstacle, remedy));
        let explained = explained.chain(of_machine).collect();
        let mut annotations = workload.metadata.annotations.clone().unwrap_or_default();
        annotations.extend(workload.annotations.clone());
        Row {
            workload: report::Workload::new(workload, verdicts, explained),
            findings,
            annotations,
        }
    }

    /// What names the workload in a baseline.
    pub(super) fn key(&self) -> String {
        workload_key(self.workload.namespace.as_deref(), &self.workload.kind, &self.workload.name)
    }

    /// What is reported of it.
    pub(super) fn report(self) -> report::Workload {
        let findings = self.findings.into_iter().map(Into::into).collect();
        report::Workload { findings, ..self.workload }
    }
}

/// What was foreseen and has come true is told once.
fn is_same_place(one: &Obstacle, other: &Obstacle) -> bool {
    (&one.container, one.category, &one.path) == (&other.container, other.category, &other.path)
}

/// Completes what is not known of the containers' users with what their images say.
fn learn(workload: &mut Workload, images: &[ImageReport]) {
    for container in workload.containers.iter_mut().filter(|container| container.root.is_none()) {
        let Some(image) = images.iter().find(|image| image.name == container.image) else {
            continue;
        };
        let Some(uid) = image.uid else { continue };
        container.root = Some(uid == 0);
        container.user = User {
            uid: Some(uid.into()),
            gid: image.gid.map(i64::from),
            groups: image.groups.iter().copied().map(i64::from).collect(),
            origin: Origin::Image,
        };
    }
}
