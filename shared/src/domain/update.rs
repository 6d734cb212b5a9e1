//! What Meta told us, as our own types: updates about messages.

use jiff::Timestamp;

use super::ids::{Channel, MetaId, Mid};
use super::personal::Personal;

/// One update about one message of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The Meta product it came from.
    pub channel: Channel,
    /// The business's Page or Instagram account: `entry.id`.
    pub account: MetaId,
    /// The person on the other side: the sender, or the recipient of an echo.
    pub contact: MetaId,
    /// The message it is about. Unique per channel and account only.
    pub mid: Mid,
    /// When it happened, by Meta's clock; `None` where the webhook names no usable time.
    pub at: Option<Timestamp>,
    /// What happened.
    pub event: Event,
}

/// What happened to the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The message was sent.
    Message(Content),
    /// The message's text was changed.
    Edit(Edit),
    /// The message was taken back.
    Unsend,
}

/// What a message says (R1.1: text and kind, nothing else).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Who wrote it.
    pub direction: Direction,
    /// What sort of message it is.
    pub kind: Kind,
    /// Its text, where it has one.
    pub text: Option<Personal<String>>,
}

/// A change of a message's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Counts a message's edits from 1; the highest wins.
    pub num_edit: u32,
    /// The new text.
    pub text: Personal<String>,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The contact wrote it.
    In,
    /// The business wrote it (an echo).
    Out,
}

impl Direction {
    /// `in` or `out`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// Reads the word back; `None` for any other.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "in" => Some(Self::In),
            "out" => Some(Self::Out),
            _ => None,
        }
    }
}

words! {
    /// The sort of a message. It is all that is kept of an attachment (R1.1), and its word is then
    /// Meta's type of attachment.
    Kind {
        /// Text alone.
        Text = "text",
        /// A reply to the account's story.
        StoryReply = "story_reply",
        /// A button was pressed.
        Postback = "postback",
        /// Meta did not show the message, or we do not know its type.
        Unsupported = "unsupported",
        /// An image, GIFs included.
        Image = "image",
        /// A sound.
        Audio = "audio",
        /// A video.
        Video = "video",
        /// A file.
        File = "file",
        /// A sticker.
        Sticker = "sticker",
        /// A location.
        Location = "location",
        /// A structured message.
        Template = "template",
        /// A link preview.
        Fallback = "fallback",
        /// A shared post, older form.
        Share = "share",
        /// A Facebook reel.
        Reel = "reel",
        /// An Instagram reel.
        IgReel = "ig_reel",
        /// A Facebook post.
        Post = "post",
        /// An Instagram post.
        IgPost = "ig_post",
        /// An Instagram story.
        IgStory = "ig_story",
        /// A mention in a story.
        StoryMention = "story_mention",
        /// Media that can be seen once.
        Ephemeral = "ephemeral",
        /// A heart.
        LikeHeart = "like_heart",
        /// A booking.
        AppointmentBooking = "appointment_booking",
    }
}

words! {
    /// Why an update of an authentic webhook changed nothing. The words are metric dimensions.
    Ignored {
        /// The body is not a JSON object with `object` and `entry`.
        MalformedBody = "malformed_body",
        /// The item is not a JSON object, or its fields have shapes that cannot be read.
        MalformedItem = "malformed_item",
        /// This service does not serve the body's `object`.
        UnknownObject = "unknown_object",
        /// The event does not concern a message's content (typing, opt-ins, feeds …).
        UnknownEvent = "unknown_event",
        /// A test event of Meta's dashboard.
        TestEvent = "test_event",
        /// The account is not connected.
        UnknownAccount = "unknown_account",
        /// `entry.id` is neither the recipient nor, for an echo, the sender.
        AccountMismatch = "account_mismatch",
        /// No usable sender id.
        MissingSender = "missing_sender_id",
        /// No usable recipient id.
        MissingRecipient = "missing_recipient_id",
        /// No usable `mid`.
        MissingMid = "missing_mid",
        /// A reaction.
        Reaction = "reaction",
        /// A read receipt.
        Read = "read",
        /// A delivery receipt.
        Delivery = "delivery",
        /// A postback without a `mid`.
        PostbackWithoutMid = "postback_without_mid",
        /// An edit that carries no change: `num_edit` below 1, or no text.
        NoEdit = "no_edit",
        /// The same message again.
        Duplicate = "duplicate",
        /// The same unsend again.
        DuplicateUnsend = "duplicate_unsend",
        /// An edit that is not newer than the known one.
        StaleEdit = "stale_edit",
        /// A message or edit after its unsend.
        Unsent = "unsent",
        /// Already past its expiry on arrival.
        Expired = "expired",
        /// Its contact is erased or restricted, or its connection is gone (R2.3, R8.3).
        Suppressed = "suppressed",
        /// The key of its day is gone or never was, and the day is too far back for a redelivery.
        DayClosed = "day_closed",
    }
}
