//! Any bytes as a file of manifests, read, judged, planned for, printed and edited: no panic, what
//! is planned once needs no second plan, and an edited document is the planned one.

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use nonroot::evidence::manifests::{self, document::Document};
use nonroot::model::podsecurity::{Level, Version};
use nonroot::output::{fix, patch};
use nonroot::{plan, policy};
use serde_json::Value;

fn read(text: &str) -> Option<Value> {
    Document::parse(text).ok().flatten().map(|document| document.value)
}

fuzz_target!(|text: &[u8]| {
    let file = format!("/dev/shm/nonroot-fuzz-{}.yaml", std::process::id());
    fs::write(&file, text).expect("a file in memory");
    for manifest in manifests::read(&[file], false, |manifest| manifest).value.workloads {
        let workload = &manifest.workload;
        for violation in
            policy::evaluate(&workload.metadata, &workload.spec, Level::Restricted, Version::Latest)
        {
            violation.fields.iter().for_each(|field| assert!(manifest.line(field) > 0));
        }
        let planned = plan::compose(&manifest.object, Level::Restricted, &[]);
        assert_eq!(plan::compose(&planned, Level::Restricted, &[]), planned);
        let (before, after) = (fix::applicable(&manifest.object), fix::applicable(&planned));
        let _ = patch::diff(("before", &before.to_string()), ("after", &after.to_string()));
        let _ = patch::strategic(&before, &after);
        let _ = patch::json6902(&before, &after);
        let document = &manifest.file.text[manifest.part.clone()];
        if manifest.item.is_none()
            && let Ok(edited) = patch::manifest(document, &manifest.object, &planned, &read)
        {
            assert_eq!(read(&edited).as_ref(), Some(&planned));
        }
    }
});
