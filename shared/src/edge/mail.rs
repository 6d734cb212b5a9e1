//! E-mail, by Amazon SES: plain text, to an address that is looked up when it is needed and never
//! stored, queued or logged.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata as _};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};

use crate::domain::personal::Personal;

/// A message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SES did not take the message ({0})")]
pub struct MailError(String);

/// What is sent: words of our own, in which nobody is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// Sends e-mail from one address.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    from: String,
}

impl Mailer {
    /// A mailer that sends from this address, whose domain SES knows as ours.
    #[must_use]
    pub fn new(sdk: &SdkConfig, from: String) -> Self {
        Self { client: Client::new(sdk), from }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`MailError`].
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
            // Not its message: SES repeats the address there.
            .map_err(|error| MailError(error.code().unwrap_or("no answer").to_owned()))
    }
}

fn message(mail: &Mail) -> Result<Message, BuildError> {
    let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder().text(content(&mail.text)?).build();
    Ok(Message::builder().subject(content(&mail.subject)?).body(body).build())
}
