//! Opens messages: each day's key is unwrapped for this request only and wiped after it.

use std::collections::BTreeMap;

use numib::concurrent::try_all;
use numib::domain::connection::Connection;
use numib::domain::ids::{ConnectionId, ConversationId};
use numib::domain::time::Day;
use numib::edge::problem::Problem;
use numib::seal::SealError;
use numib::seal::key_name::KeyName;
use numib::seal::key_pair::Opener;
use numib::seal::kms::KmsError;
use numib::seal::message::{Place, open_edit, open_message};
use numib::store::messages::StoredMessage;

use crate::app::App;
use crate::wire;

/// Keys unwrapped at once.
const CONCURRENCY: usize = 8;

/// The day keys that a page needs.
pub(crate) struct Keyring(BTreeMap<(ConnectionId, Day), Opener>);

/// A stored message and the conversation it is in.
pub(crate) type Located<'a> = (&'a Connection, &'a ConversationId, &'a StoredMessage);

impl Keyring {
    /// Unwraps the keys these messages are sealed to; a shredded day has none.
    pub(crate) async fn unwrap(app: &App, messages: &[Located<'_>]) -> Result<Self, Problem> {
        let mut needed = BTreeMap::new();
        for (connection, _, message) in messages {
            let days = [Some(message.sealed.day), message.edit.as_ref().map(|edit| edit.day)];
            for day in days.into_iter().flatten() {
                needed.insert((connection.id.clone(), day), *connection);
            }
        }
        let openers =
            needed.into_iter().map(|((id, day), connection)| unwrap_one(app, connection, id, day));
        let openers = try_all(openers, CONCURRENCY).await?;
        Ok(Self(openers.into_iter().flatten().collect()))
    }

    /// Shows one message; `None` when its key is gone, which is what erased and expired mean.
    pub(crate) fn show(
        &mut self,
        (connection, conversation, message): Located<'_>,
    ) -> Result<Option<wire::Message>, Problem> {
        let place = Place { conversation, message: &message.id };
        let Some(opener) = self.0.get_mut(&(connection.id.clone(), message.sealed.day)) else {
            return Ok(None);
        };
        let plain = open_message(opener, place, &message.sealed).map_err(unreadable)?;
        let mut text = plain.content.text;
        let edit = message.edit.as_ref().and_then(|edit| {
            let opener = self.0.get_mut(&(connection.id.clone(), edit.day))?;
            Some(open_edit(opener, place, edit))
        });
        if let Some(edit) = edit {
            text = Some(edit.map_err(unreadable)?);
        }
        Ok(Some(wire::Message {
            id: message.id.to_string(),
            direction: plain.content.direction.as_str(),
            kind: plain.content.kind.as_str(),
            text: text.map(|text| text.expose().clone()),
            edited: message.edit.is_some(),
            sent_at: plain.sent_at.to_string(),
            expires_at: message.expires_at.to_string(),
        }))
    }
}

async fn unwrap_one(
    app: &App,
    connection: &Connection,
    id: ConnectionId,
    day: Day,
) -> Result<Option<((ConnectionId, Day), Opener)>, Problem> {
    let Some(wrapped) = app.store.wrapped_day_key(&id, day).await? else { return Ok(None) };
    let name = KeyName::Day { account: &connection.account, connection: &id, day };
    let key = app.day_keys.unwrap(name, &wrapped.wrapped_key).await.map_err(no_key)?;
    let opener = Opener::new(name, key);
    Ok(Some(((id, day), opener)))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` takes")]
fn no_key(error: KmsError) -> Problem {
    tracing::error!(error = %error, "a day key could not be unwrapped");
    Problem::internal()
}

fn unreadable(error: SealError) -> Problem {
    tracing::error!(error = %error, "a stored message does not open");
    Problem::internal()
}
