//! Any bytes as a file of manifests, read, judged, planned for and printed: no panic, and what is planned once needs no
//! second plan.

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use nonroot::evidence::manifests;
use nonroot::model::podsecurity::{Level, Version};
use nonroot::output::{fix, patch};
use nonroot::{plan, policy};

fuzz_target!(|text: &[u8]| {
    let file = format!("/dev/shm/nonroot-fuzz-{}.yaml", std::process::id());
    fs::write(&file, text).expect("a file in memory");
    let mut found = Vec::new();
    manifests::read(&[file], false, &mut |manifest| found.push(manifest), &mut |_| {});
    for manifest in found {
        let workload = &manifest.workload;
        for violation in policy::evaluate(&workload.metadata, &workload.spec, Level::Restricted, Version::Latest) {
            violation.fields.iter().for_each(|field| assert!(manifest.line(field) > 0));
        }
        let planned = plan::compose(&manifest.object, Level::Restricted, &[]);
        assert_eq!(plan::compose(&planned, Level::Restricted, &[]), planned);
        let (before, after) = (fix::applicable(&manifest.object), fix::applicable(&planned));
        let _ = patch::diff(&before, &after, "fuzzed");
        let _ = patch::strategic(&before, &after);
    }
});
