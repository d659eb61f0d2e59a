//! What the `get` commands have in common: rows of what is known now, chosen by references.

use qbo_api::command::Selection;
use qbo_api::message::Payload;
use qbo_api::model::{Cluster, Named};
use qbo_api::name::ObjectReference;

use super::Services;
use crate::access::User;
use crate::cluster::absent;
use crate::error::Failure;
use crate::live::{View, chunks};
use crate::report::Reporter;

/// Which objects are meant.
pub(super) enum Chosen<'a> {
    All,
    Named(&'a [ObjectReference]),
}

impl<'a> Chosen<'a> {
    /// Reads a selection; whoever follows a mirror follows all that is told there.
    pub(super) fn of(services: &Services, user: &User, selection: &'a Selection<ObjectReference>, watch: bool) -> Self {
        match selection {
            Selection::All => Self::All,
            Selection::Named(references)
                if watch && name_a_mirror(services, user, references.iter().map(ObjectReference::as_str)) =>
            {
                Self::All
            }
            Selection::Named(references) => Self::Named(references),
        }
    }

    /// The rows that are meant. Everything that is named must be there: an object, or a cluster, which may have none.
    pub(super) fn rows<T: Named>(&self, rows: Vec<T>, clusters: &[Cluster], kind: &str) -> Result<Vec<T>, Failure> {
        let Self::Named(references) = self else { return Ok(rows) };
        for reference in *references {
            let known = rows.iter().any(|row| reference.matches(row))
                || clusters.iter().any(|cluster| reference.matches(cluster));
            if !known {
                let names = clusters.iter().map(|cluster| cluster.name.as_str());
                return Err(absent(kind, reference.as_str(), names));
            }
        }
        Ok(rows.into_iter().filter(|row| references.iter().any(|reference| reference.matches(row))).collect())
    }
}

/// Keeps the rows that references name; where one names none, `absent` says so.
pub(super) fn keep_named<R, T>(
    rows: &mut Vec<T>,
    references: &[R],
    matches: impl Fn(&R, &T) -> bool,
    absent: impl Fn(&R) -> Failure,
) -> Result<(), Failure> {
    if let Some(missing) = references.iter().find(|reference| !rows.iter().any(|row| matches(reference, row))) {
        return Err(absent(missing));
    }
    rows.retain(|row| references.iter().any(|reference| matches(reference, row)));
    Ok(())
}

/// Whether one of them is a mirror; whoever follows that follows all that is told there.
pub(super) fn name_a_mirror<'a>(
    services: &Services,
    user: &User,
    mut references: impl Iterator<Item = &'a str>,
) -> bool {
    references.any(|reference| services.live.mirrors().named(user, reference).is_some())
}

/// Tells rows as they were at one point of their history.
pub(super) fn tell(reporter: &Reporter, view: &View<'_>, payload: Payload) {
    reporter.list_at(view.sequence(), chunks(payload));
}
