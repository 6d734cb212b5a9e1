//! E-mail, by Amazon SES: plain text. The address is looked up when it is needed, and never stored,
//! queued or logged.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata as _};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};

use crate::domain::personal::Personal;

/// A message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SES did not take the message ({0})")]
pub struct MailError(String);

/// An e-mail. Its words are our own, and name nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The subject line.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// Sends e-mail from one address.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    from: String,
}

impl Mailer {
    /// A mailer that sends from this address. SES has to know the address's domain as ours.
    #[must_use]
    pub fn new(sdk: &SdkConfig, from: String) -> Self {
        Self { client: Client::new(sdk), from }
    }

    /// Sends a message.
    pub async fn send(&self, to: &Personal<String>, mail: &Mail) -> Result<(), MailError> {
        let message = message(mail).map_err(|error| MailError(error.to_string()))?;
        self.client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(to.expose()).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await
            .map(|_| ())
            // The code and not the message: SES repeats the address in its message.
            .map_err(|error| MailError(error.code().unwrap_or("no answer").to_owned()))
    }
}

fn message(mail: &Mail) -> Result<Message, BuildError> {
    let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder().text(content(&mail.text)?).build();
    Ok(Message::builder().subject(content(&mail.subject)?).body(body).build())
}
