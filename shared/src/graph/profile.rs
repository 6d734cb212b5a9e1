//! Who a person is: name and username, and nothing else (docs/meta-platform.md#profiles).

use jiff::Timestamp;

use super::call::Call;
use super::error::{Failure, GraphError};
use super::host::versioned;
use super::{Answer, Asset, Graph, personal};
use crate::domain::ids::{Channel, MetaId};
use crate::domain::personal::Personal;
use crate::meta::json::Object;

/// What Meta tells of a person. Both may be missing, and often are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// The name.
    pub name: Option<Personal<String>>,
    /// The username, on Instagram.
    pub username: Option<Personal<String>>,
}

impl Profile {
    pub(super) fn read(person: &Object<'_>) -> Self {
        Self { name: personal(person, "name"), username: personal(person, "username") }
    }
}

impl Graph {
    /// Looks a person up. Where Meta knows the person and tells nothing, the profile is empty.
    ///
    /// # Errors
    /// [`Failure::NothingKnown`] where the person did not consent, or is nobody that this account
    /// may know.
    //= R1.1
    pub async fn profile(
        &self,
        now: Timestamp,
        asset: Asset<'_>,
        person: &MetaId,
    ) -> Result<Answer<Profile>, GraphError> {
        let fields = match asset.channel {
            Channel::Messenger => "name",
            Channel::Instagram => "name,username",
        };
        let call = Call::get(asset.host(), &versioned(&[person.expose()]))
            .with("fields", fields)
            .acting_for(asset);
        let unknown = |error: GraphError| {
            let is_nobody = error.failure == Failure::Unavailable;
            let failure = if is_nobody { Failure::NothingKnown } else { error.failure };
            GraphError { failure, ..error }
        };
        let reply = self.ask(now, call).await.map_err(unknown)?;
        reply.read(|answer| Some(Profile::read(answer)))
    }
}
