//! placeholder
use crate::model::obstacle::Category;
pub fn page(_: Category) -> String {
    String::new()
}
