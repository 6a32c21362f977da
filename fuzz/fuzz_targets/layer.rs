//! Any bytes as a layer, merged with themselves: no panic, and no more memory than the limits say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nonroot::evidence::image::layer::{Limits, parse};
use nonroot::model::image::efficiency::efficiency;
use nonroot::model::image::paths::PathId;
use nonroot::model::image::tree::Tree;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { memory: 4 << 20, bytes: 16 << 20, ..Limits::default() };
    if let Ok(layer) = parse(bytes, &limits) {
        let mut tree = Tree::default();
        tree.merge(&layer, 0);
        tree.merge(&layer, 1);
        assert!(tree.below(PathId::ROOT).count() <= limits.memory / 200);
        let _ = efficiency(&[layer.clone(), layer]);
    }
});
