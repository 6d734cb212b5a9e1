//! What Meta sends us webhooks about (docs/meta-platform.md#subscriptions).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::call::Call;
use super::error::GraphError;
use super::host::versioned;
use super::{Answer, Asset, Graph, objects};
use crate::domain::login::Login;
use crate::meta::json::{Object, Value};

/// The fields of a Page. The Instagram account that is linked to it has the Page's subscription.
/// Beside messages, these say only that another app took a conversation, or that Meta restricts the
/// Page. Read receipts, deliveries and reactions are not asked for.
//= R1.1
const PAGE_FIELDS: &[&str] = &[
    "messages",
    "message_echoes",
    "message_edits",
    "messaging_postbacks",
    "standby",
    "messaging_handovers",
    "messaging_policy_enforcement",
];
/// The fields of an Instagram account that was connected by Instagram Login. With any field, it
/// gets all that the app has.
//= R1.1
const INSTAGRAM_FIELDS: &[&str] = &["messages", "message_edit", "messaging_postbacks"];

/// The fields that a subscription by this login has.
#[must_use]
pub const fn fields(login: Login) -> &'static [&'static str] {
    match login {
        Login::Facebook => PAGE_FIELDS,
        Login::Instagram => INSTAGRAM_FIELDS,
    }
}

/// A subscription as Meta has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Fields that should be there and are not; all of them where there is no subscription.
    pub missing: BTreeSet<&'static str>,
}

impl Subscription {
    /// Whether everything is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }

    fn read(answer: &Object<'_>, app: &str, wanted: &[&'static str]) -> Option<Self> {
        let apps = objects(answer)?;
        let ours = apps.iter().find(|one| one.scalar("id").is_some_and(|id| id == app));
        let fields = ours.and_then(|ours| ours.get("subscribed_fields")).and_then(Value::array);
        let fields = fields.into_iter().flatten().filter_map(Value::string);
        let there: BTreeSet<_> = fields.collect();
        let missing = wanted.iter().filter(|field| !there.contains(**field));
        Some(Self { missing: missing.copied().collect() })
    }
}

impl Graph {
    /// Asks Meta for webhooks. Whether it sends them is known once the subscription was read back.
    pub async fn subscribe(
        &self,
        now: Timestamp,
        asset: Asset<'_>,
    ) -> Result<Answer<()>, GraphError> {
        let call = Call::post(asset.host(), &versioned(&[asset.id.expose(), "subscribed_apps"]))
            .with("subscribed_fields", &fields(asset.login).join(","))
            .acting_for(asset);
        self.ask(now, call).await?.success()
    }

    /// Reads the subscription back.
    pub async fn subscription(
        &self,
        now: Timestamp,
        asset: Asset<'_>,
    ) -> Result<Answer<Subscription>, GraphError> {
        let app = self.app(asset.login)?;
        let call = Call::get(asset.host(), &versioned(&[asset.id.expose(), "subscribed_apps"]))
            .acting_for(asset);
        let wanted = fields(asset.login);
        self.ask(now, call).await?.read(|answer| Subscription::read(answer, &app.id, wanted))
    }

    /// Ends the subscription: of a Page, for its Instagram account, too. Meta answers with a
    /// deauthorise callback.
    pub async fn unsubscribe(
        &self,
        now: Timestamp,
        asset: Asset<'_>,
    ) -> Result<Answer<()>, GraphError> {
        let call = Call::delete(asset.host(), &versioned(&[asset.id.expose(), "subscribed_apps"]))
            .acting_for(asset);
        self.ask(now, call).await?.success()
    }
}
