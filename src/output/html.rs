//! Reports as one page of HTML: what the JSON holds and nothing else, with no script and nothing
//! from elsewhere.

use std::cmp::Reverse;

use serde::Serialize;

use super::fix::Fix;
use super::image::ImageReport;
use super::report::{ScanReport, Workload};
use super::template;
use crate::error::Error;

/// What the template is filled with.
#[derive(Debug, Serialize)]
struct Page<'r> {
    version: &'static str,
    scan: Option<&'r ScanReport>,
    /// Worst first.
    workloads: Vec<&'r Workload>,
    fixes: &'r [Fix],
    images: &'r [ImageReport],
    warnings: &'r [String],
}

/// A scan.
///
/// # Errors
/// Never because of a report: the template is part of the program.
pub fn html(report: &ScanReport) -> Result<String, Error> {
    let mut workloads: Vec<&Workload> = report.workloads.iter().collect();
    workloads.sort_by_cached_key(|workload| {
        let Workload { namespace, kind, name, .. } = workload;
        (Reverse(workload.badness()), (namespace, kind, name))
    });
    page(&Page {
        workloads,
        images: &report.images,
        warnings: &report.warnings,
        scan: Some(report),
        ..Page::default()
    })
}

/// Plans, with their proofs.
///
/// # Errors
/// As [`html`].
pub fn fixes(fixes: &[Fix]) -> Result<String, Error> {
    page(&Page { fixes, ..Page::default() })
}

/// Images.
///
/// # Errors
/// As [`html`].
pub fn images(warnings: &[String], images: &[ImageReport]) -> Result<String, Error> {
    page(&Page { images, warnings, ..Page::default() })
}

impl Default for Page<'_> {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            scan: None,
            workloads: Vec::new(),
            fixes: &[],
            images: &[],
            warnings: &[],
        }
    }
}

fn page(page: &Page<'_>) -> Result<String, Error> {
    template::rendered("report.html", page)
}
