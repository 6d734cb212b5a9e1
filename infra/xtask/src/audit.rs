//! `cargo xtask audit` hands an account's audit chain over, and `cargo xtask verify-audit` checks
//! one without any service.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use numib::domain::audit::export::{Checkpoint, Line};
use numib::domain::audit::{Fault, Link, Point, verify as verify_links};
use numib::domain::ids::AccountId;
use numib::store::Store;

use crate::progress::{note, say};
use crate::receipt;

/// The account whose chain is handed over.
#[derive(Debug, clap::Args)]
pub struct ExportOptions {
    /// The account; `-` for the chain of people who belong to no account
    #[arg(long, allow_hyphen_values = true)]
    account: String,
}

/// What to check, and against which keys.
#[derive(Debug, clap::Args)]
pub struct VerifyOptions {
    /// The chain, as `cargo xtask audit` writes it
    pub(crate) chain: PathBuf,
    /// The published keys, as `GET /.well-known/jwks.json` answers them. A chain that was cut needs
    /// them
    #[arg(long)]
    pub(crate) keys: Option<PathBuf>,
}

/// Writes the chain to standard output.
///
/// # Errors
/// When the id is malformed, or the database fails.
pub async fn export(store: &Store, options: &ExportOptions) -> anyhow::Result<()> {
    let account = AccountId::parse(&options.account).context("that is no account's id")?;
    for line in lines(store, &account).await? {
        say(&line.write());
    }
    Ok(())
}

/// The chain, as it is handed over.
///
/// # Errors
/// When the database fails.
pub async fn lines(store: &Store, account: &AccountId) -> anyhow::Result<Vec<Line>> {
    // The head is read before the links. What is appended meanwhile comes after the head, and is
    // left out.
    let head = store.audit_head(account).await?;
    let mut page = store.audit_page(account, None).await?;
    let mut lines: Vec<Line> = page.checkpoint.into_iter().map(Line::Checkpoint).collect();
    while let Some(last) = page.links.last().map(Link::point) {
        let until = |link: &Link| head.is_some_and(|head| link.point() <= head);
        lines.extend(page.links.into_iter().filter(until).map(|link| Line::Link(Box::new(link))));
        page = store.audit_page(account, Some(&last)).await?;
    }
    lines.extend(head.map(Line::Head));
    Ok(lines)
}

/// Says whether a chain is intact.
///
/// # Errors
/// When the chain is broken, or a file cannot be read.
pub fn run(options: &VerifyOptions) -> anyhow::Result<()> {
    let text = receipt::read(&options.chain)?;
    let keys = options.keys.as_deref().map(receipt::read).transpose()?;
    let checkpoint = |jws: &str| {
        let keys = keys.as_deref().context("it was cut: give the published keys with --keys")?;
        let claims = receipt::verify(jws, keys).context("its checkpoint is not good")?;
        Checkpoint::parse(&claims).context("its first line is signed, but no checkpoint")
    };
    let verdict = verify(&text, checkpoint)?;
    say(&verdict.to_string());
    if verdict.cut.as_ref().is_some_and(|cut| !cut.is_intact) {
        note("Of what was cut from it, something had been altered or removed before the cut.");
    }
    if !verdict.has_head {
        note("It does not say where it ends, so events may be missing at its end.");
    }
    Ok(())
}

/// What is said of an intact chain.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    account: Option<AccountId>,
    events: usize,
    /// When the first and the last happened.
    times: Option<(Timestamp, Timestamp)>,
    cut: Option<Checkpoint>,
    /// Whether it says where it ends.
    has_head: bool,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account.as_ref().map_or("none", AccountId::as_str);
        write!(f, "Intact: account {account}, {} events", self.events)?;
        if let Some((first, last)) = self.times {
            write!(f, " from {first} to {last}")?;
        }
        match &self.cut {
            None => f.write_str(", from its beginning on."),
            Some(cut) => {
                let Checkpoint { removed_in_all, last, cut_at, .. } = cut;
                write!(f, ", after {removed_in_all} that were cut by {cut_at}, ")?;
                write!(f, "the last one number {} of {}.", last.number, last.day)
            }
        }
    }
}

/// Checks a chain. The given function checks its checkpoint.
fn verify(
    text: &str,
    checkpoint: impl Fn(&str) -> anyhow::Result<Checkpoint>,
) -> anyhow::Result<Verdict> {
    let (mut cut, mut head): (Option<Checkpoint>, Option<Point>) = (None, None);
    let mut links: Vec<Link> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if head.is_some() {
            bail!("Broken at line {number}: something stands after the end of the chain.");
        }
        match Line::parse(line) {
            Some(Line::Checkpoint(jws)) if number == 1 => {
                cut = Some(checkpoint(&jws).context("Broken at line 1")?);
            }
            Some(Line::Link(link)) => links.push(*link),
            Some(Line::Head(point)) => head = Some(point),
            Some(Line::Checkpoint(_)) => {
                bail!("Broken at line {number}: a checkpoint stands only at the beginning.")
            }
            None => bail!("Broken at line {number}: it is no line of an audit chain."),
        }
    }
    let before = usize::from(cut.is_some());
    let account = cut.as_ref().map(|cut| &cut.account);
    let account = account.or_else(|| links.first().map(|link| &link.account)).cloned();
    let mut end = cut.as_ref().map(|cut| cut.last);
    if let Some(account) = &account {
        end = verify_links(account, end, &links).map_err(|broken| {
            let line = broken.position.saturating_add(before).saturating_add(1);
            anyhow::anyhow!("Broken at line {line}: {}", meaning(broken.fault))
        })?;
    }
    if head.is_some() && head != end {
        bail!("Broken at its end: events are missing there, or were added.");
    }
    let times = links.first().zip(links.last());
    let times = times.map(|(first, last)| (first.event.at, last.event.at));
    Ok(Verdict { account, events: links.len(), times, cut, has_head: head.is_some() })
}

const fn meaning(fault: Fault) -> &'static str {
    match fault {
        Fault::OtherAccount => "the event is another account's.",
        Fault::Altered => "the event is not as it was written.",
        Fault::OutOfPlace => {
            "the event does not follow the one before it: one was removed, inserted, moved or \
             replaced."
        }
    }
}

#[cfg(test)]
mod tests {
    use numib::domain::audit::{Action, Actor, Event, Outcome};
    use numib::domain::ids::EventId;

    use super::*;

    fn no_checkpoint(_: &str) -> anyhow::Result<Checkpoint> {
        bail!("there is none")
    }

    fn links() -> Vec<Link> {
        let account = AccountId::parse("a1").unwrap();
        let mut last = None;
        let link = |n: i64| {
            let event = Event {
                id: EventId::parse(&n.to_string()).unwrap(),
                at: Timestamp::from_second(1_796_000_000 + n * 10_000).unwrap(),
                actor: Actor::Schedule,
                action: Action::Disconnect,
                outcome: Outcome::Done,
                subjects: Vec::new(),
                address: None,
                user_agent: None,
            };
            let link = Link::after(last.as_ref(), &account, event);
            last = Some(link.point());
            link
        };
        (0..10).map(link).collect()
    }

    fn text(lines: impl IntoIterator<Item = Line>) -> String {
        lines.into_iter().map(|line| line.write() + "\n").collect()
    }

    fn chain() -> Vec<Line> {
        let links = links();
        let head = links.last().map(|link| Line::Head(link.point()));
        links.into_iter().map(|link| Line::Link(Box::new(link))).chain(head).collect()
    }

    fn problem(lines: Vec<Line>) -> String {
        verify(&text(lines), no_checkpoint).unwrap_err().to_string()
    }

    //= R4.6
    #[test]
    fn an_intact_chain_is_told_with_its_times() {
        let verdict = verify(&text(chain()), no_checkpoint).unwrap();
        assert!(verdict.has_head);
        assert_eq!(
            verdict.to_string(),
            "Intact: account a1, 10 events from 2026-11-30T00:53:20Z to 2026-12-01T01:53:20Z, \
             from its beginning on."
        );
        assert_eq!(verify("", no_checkpoint).unwrap().events, 0);
    }

    //= R4.6
    #[test]
    fn the_line_at_which_a_chain_breaks_is_told() {
        let mut gap = chain();
        gap.remove(3);
        assert!(problem(gap).starts_with("Broken at line 4: the event does not follow"));
        let mut short = chain();
        short.remove(9);
        assert!(problem(short).starts_with("Broken at its end"));
        let mut long = chain();
        long.push(Line::Head(links()[0].point()));
        assert!(problem(long).starts_with("Broken at line 12"));
        let altered = text(chain()).replacen(r#""done""#, r#""refused""#, 1);
        let altered = verify(&altered, no_checkpoint).unwrap_err().to_string();
        assert_eq!(altered, "Broken at line 1: the event is not as it was written.");
        let unreadable = verify("{}\n", no_checkpoint).unwrap_err().to_string();
        assert_eq!(unreadable, "Broken at line 1: it is no line of an audit chain.");
    }

    //= R4.6
    #[test]
    fn a_chain_that_was_cut_is_checked_from_its_checkpoint_on_and_not_without() {
        let links = links();
        let cut = Checkpoint {
            account: links[3].account.clone(),
            last: links[3].point(),
            removed: 4,
            removed_in_all: 4,
            is_intact: true,
            cut_at: Timestamp::from_second(1_800_000_000).unwrap(),
        };
        let mut lines = vec![Line::Checkpoint("a.b.c".to_owned())];
        lines.extend(chain().into_iter().skip(4));
        let verdict = verify(&text(lines.clone()), |_| Ok(cut.clone())).unwrap();
        assert!(verdict.to_string().contains("6 events"), "{verdict}");
        assert!(verdict.to_string().contains("after 4 that were cut"), "{verdict}");
        assert_eq!(problem(lines.clone()), "Broken at line 1");
        let earlier = Checkpoint { last: links[2].point(), ..cut };
        let broken = verify(&text(lines.clone()), |_| Ok(earlier.clone())).unwrap_err();
        assert!(broken.to_string().starts_with("Broken at line 2"), "{broken}");
        assert!(problem(lines.split_off(1)).starts_with("Broken at line 1: the event does not"));
    }
}
