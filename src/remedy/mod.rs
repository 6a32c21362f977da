//! What removes an obstacle, one file a remedy.

use crate::model::obstacle::Obstacle;

pub struct Suggestion {
    pub id: &'static str,
    pub level: Level,
    pub summary: String,
}
pub enum Level {
    Pod,
}
impl Level {
    pub fn as_str(&self) -> &'static str {
        "pod"
    }
}
pub fn remedies(_: &Obstacle) -> Vec<Suggestion> {
    Vec::new()
}
