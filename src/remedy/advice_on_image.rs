//! What only another image can change.

use super::{Remedy, RemedyLayer};
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "image",
    layer: RemedyLayer::Image,
    title: "Change the image",
    explain: "What the image has wrong is best made right there: `COPY --chown` (not `RUN chown`, which doubles the \
              bytes), `USER` with a number, `EXPOSE` of a port from 1024 on, `COPY --chmod=0755` for programs, a \
              directory made and given away before it is declared a VOLUME, no setcap where a higher port would do.",
    removes: &[
        Category::UnwritablePath,
        Category::PrivilegedPort,
        Category::OwnershipChange,
        Category::IdentitySwitch,
        Category::UnreadableFile,
        Category::NotExecutable,
        Category::MissingPasswdEntry,
        Category::ImageRunsAsRoot,
        Category::NonNumericUser,
        Category::CapabilityMissing,
        Category::LostFunction,
    ],
    suggest,
    propose: None,
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let path = obstacle.path.as_deref();
    if path.is_some_and(super::is_of_node) {
        return None;
    }
    if obstacle.category == Category::UnwritablePath && path.is_some_and(super::is_for_everybody) {
        return None;
    }
    Some(match (obstacle.category, path) {
        (Category::UnwritablePath, Some(path)) => format!(
            "in the image, make the directory of {path} with COPY --chown or install -d -o for the program's user"
        ),
        (Category::UnreadableFile, Some(path)) if path.starts_with("/root/") => {
            format!("in the image, put {path} somewhere else than /root, which nobody but root may enter")
        }
        (Category::UnreadableFile, Some(path)) => {
            format!("in the image, give {path} to the program's user with COPY --chown")
        }
        (Category::NotExecutable, Some(path)) => {
            format!("in the image, make {path} executable for every user with COPY --chmod=0755, and leave setcap out")
        }
        (Category::PrivilegedPort, _) => "in the image, let the program listen on a port from 1024 on".to_owned(),
        (Category::ImageRunsAsRoot | Category::NonNumericUser, _) => {
            "in the image, end with USER and a number, such as USER 1000:1000".to_owned()
        }
        (Category::MissingPasswdEntry, _) => {
            "in the image, add the user to /etc/passwd with useradd or adduser".to_owned()
        }
        (Category::OwnershipChange, _) => {
            "in the image, give the files away with COPY --chown, so that nothing is left to change at the start"
                .to_owned()
        }
        (Category::LostFunction, _) => {
            "in the image, give what the program reads and writes in use to its user with COPY --chown".to_owned()
        }
        (Category::IdentitySwitch, _) => {
            "in the image, skip the change of user where the program does not start as root".to_owned()
        }
        _ => return None,
    })
}
