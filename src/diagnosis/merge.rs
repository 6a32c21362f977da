//! Several texts about one failure.

use super::Diagnosed;
use crate::model::obstacle::{Category, Obstacle};

/// Joins what the logs, states and events of one failure tell. A refusal that several of them report
/// counts once. What stopped a program comes first, in the order of the texts.
#[must_use]
pub fn merge(texts: impl IntoIterator<Item = Diagnosed>) -> Diagnosed {
    let mut all = Diagnosed::default();
    for text in texts {
        all.looks_like = all.looks_like.or(text.looks_like);
        for obstacle in text.obstacles {
            if !all.obstacles.iter().any(|known| is_same(known, &obstacle)) {
                all.obstacles.push(obstacle);
            }
        }
    }
    all.obstacles.sort_by_key(|obstacle| !obstacle.fatal);
    if !all.obstacles.is_empty() {
        all.looks_like = None;
    }
    all
}

/// Whether two texts tell of one refusal. Events name no container.
fn is_same(one: &Obstacle, other: &Obstacle) -> bool {
    let place = |obstacle: &Obstacle| {
        (obstacle.operation, obstacle.category, obstacle.path.clone(), obstacle.port)
    };
    let same_container =
        one.container == other.container || one.container.is_none() || other.container.is_none();
    // The violations of one admission differ in nothing but their sentence.
    place(one) == place(other)
        && same_container
        && (one.category != Category::PodSecurity || one.cause == other.cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Context, diagnose};

    fn told(text: &str, container: Option<&str>) -> Diagnosed {
        diagnose(
            text.as_bytes(),
            Context { container: container.map(str::to_owned), ..Context::default() },
        )
    }

    #[test]
    fn what_texts_agree_on_counts_once() {
        let refusal = "Error: container has runAsNonRoot and image will run as root (pod: \"a\", container: c)";
        let merged =
            merge([told(refusal, Some("c")), told(refusal, None), told("all is well", Some("c"))]);
        assert_eq!(merged.obstacles.len(), 1);
        assert_eq!(merged.obstacles[0].container.as_deref(), Some("c"));
    }

    #[test]
    fn containers_keep_their_own() {
        let refusal = "mkdir: cannot create directory '/srv/x': Permission denied";
        assert_eq!(merge([told(refusal, Some("a")), told(refusal, Some("b"))]).obstacles.len(), 2);
    }
}
