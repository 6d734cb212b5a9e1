//! Writing to a person (docs/meta-platform.md#sending).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Call;
use super::error::SendError;
use super::host::versioned;
use super::{Answer, Asset, Graph, personal};
use crate::domain::ids::{Channel, MetaId, Mid};
use crate::domain::login::Login;
use crate::domain::personal::Personal;

/// What is written, to whom.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The person.
    pub to: &'a MetaId,
    /// The text.
    pub text: &'a Personal<String>,
    /// By which right.
    pub window: Window,
    /// Comes back in the echo, so that the two can be matched. Only Messenger has it: on Instagram
    /// it is left out.
    pub metadata: Option<&'a str>,
}

/// By which right a business writes. There is no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The person wrote within a day.
    Open,
    /// The person wrote within a week, and a human wrote the answer.
    HumanAgent,
}

/// That Meta has the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The id that its echo has.
    pub mid: Mid,
}

impl Text<'_> {
    fn json(self, asset: Asset<'_>) -> Value {
        let mut message = json!({ "text": self.text.expose() });
        if let (Channel::Messenger, Some(metadata)) = (asset.channel, self.metadata) {
            merge(&mut message, json!({ "metadata": metadata }));
        }
        let mut body = json!({ "recipient": { "id": self.to.expose() }, "message": message });
        match (self.window, asset.login) {
            (Window::HumanAgent, _) => {
                merge(&mut body, json!({ "messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT" }));
            }
            (Window::Open, Login::Facebook) => {
                merge(&mut body, json!({ "messaging_type": "RESPONSE" }));
            }
            (Window::Open, Login::Instagram) => {}
        }
        body
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

impl Graph {
    /// Sends one text, in one attempt. The path names the asset: a token of another one is refused,
    /// where `me` would write from the wrong account.
    pub async fn send_text(
        &self,
        now: Timestamp,
        asset: Asset<'_>,
        text: Text<'_>,
    ) -> Result<Answer<Sent>, SendError> {
        let call = Call::post(asset.host(), &versioned(&[asset.id.expose(), "messages"]))
            .json(&text.json(asset))
            .acting_for(asset);
        let reply = self.ask(now, call).await?;
        Ok(reply.read(|answer| Some(Sent { mid: personal(answer, "message_id")? }))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::secret::AccessToken;

    #[test]
    fn each_route_has_its_own_shape() {
        let (id, token) = (MetaId::new("7".to_owned()), AccessToken::new("t".to_owned()));
        let text = Personal::new("hola".to_owned());
        let text = Text { to: &id, text: &text, window: Window::Open, metadata: Some("m") };
        let messenger = Asset::page(Channel::Messenger, &id, &token);
        let by_page = Asset::page(Channel::Instagram, &id, &token);
        let instagram = Asset::instagram(&id, &token);
        let to = json!({ "id": "7" });
        let hola = json!({ "text": "hola" });
        assert_eq!(
            text.json(messenger),
            json!({ "recipient": to, "messaging_type": "RESPONSE",
                    "message": { "text": "hola", "metadata": "m" } })
        );
        assert_eq!(
            text.json(by_page),
            json!({ "recipient": to, "messaging_type": "RESPONSE", "message": hola })
        );
        assert_eq!(text.json(instagram), json!({ "recipient": to, "message": hola }));
        let late = Text { window: Window::HumanAgent, metadata: None, ..text };
        for asset in [messenger, by_page, instagram] {
            assert_eq!(
                late.json(asset),
                json!({ "recipient": to, "messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT",
                        "message": hola })
            );
        }
    }
}
