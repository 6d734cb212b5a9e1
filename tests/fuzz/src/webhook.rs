//! Any bytes as a webhook body: every item accounted for, and what is read of it bounded.
#![no_main]

use numib::domain::update::{Event, Update};
use numib::meta::webhook::{Delivery, parse};

/// What `meta-webhook` takes at most.
const LEN_MAX: usize = 4 * 1024 * 1024;
/// One input in so many is read at the full size, where all that is not linear takes forever.
const STRETCHED: u64 = 256;
/// Copies of a body beside each other.
const COPIES: usize = 3;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let delivery = parse(body);
    check(body, &delivery);
    if body.iter().map(|byte| u64::from(*byte)).sum::<u64>() % STRETCHED == 1 {
        let copies = LEN_MAX / (body.len() + 1);
        check_copies(body, &delivery, copies);
        let _ = parse(&body.repeat(copies));
    } else {
        check_copies(body, &delivery, COPIES);
    }
});

fn check(body: &[u8], delivery: &Delivery) {
    assert!(delivery.items() <= body.len().max(1));
    let mut texts = 0;
    for update in &delivery.updates {
        assert!((1..=64).contains(&update.account.expose().len()));
        assert!((1..=64).contains(&update.contact.expose().len()));
        assert!((1..=1024).contains(&update.mid.expose().len()));
        let text = text(update).map_or(0, str::len);
        assert!(text <= 64 * 1024);
        texts += text;
    }
    // A byte that is no text becomes three that are.
    assert!(texts <= 3 * body.len(), "more is read than was written");
}

fn text(update: &Update) -> Option<&str> {
    let text = match &update.event {
        Event::Message(content) => content.text.as_ref(),
        Event::Edit(edit) => Some(&edit.text),
        Event::Unsend => None,
    };
    text.map(|text| text.expose().as_str())
}

/// A list of bodies reads as they do one by one. A list of lists does not, nor does one with a byte
/// order mark inside.
fn check_copies(body: &[u8], delivery: &Delivery, copies: usize) {
    let list = [b"[", [body].repeat(copies).join(&b","[..]).as_slice(), b"]"].concat();
    let together = parse(&list);
    if !delivery.updates.is_empty() && body.trim_ascii_start().starts_with(b"{") {
        let mut each = together.updates.chunks(delivery.updates.len());
        assert_eq!(each.len(), copies);
        assert!(each.all(|updates| updates == delivery.updates));
        assert_eq!(together.ignored, delivery.ignored.repeat(copies));
    }
}
