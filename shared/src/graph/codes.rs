//! What Meta's error codes mean (docs/meta-platform.md#errors). One table says it; what the table
//! does not know ends where nothing is repeated and nothing is taken from a connection.

use super::error::Hint;
use super::usage::Whose;

/// What a refusal means, whatever was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// For the moment. Meta may have done it.
    Transient,
    /// Too many calls.
    Throttled(Whose),
    Reconnect(Hint),
    PausedByMeta,
    OutsideWindow,
    Unavailable,
    AnsweredElsewhere,
    NotEligible,
    NothingKnown,
    Permanent,
    /// The table does not know it: not to be repeated, and Meta may have done it.
    Unclear,
}

/// Which refusals a row is about.
#[derive(Debug, Clone, Copy)]
enum On {
    /// This code with this subcode.
    Pair(u32, u32),
    /// This subcode with any code: reports show the same subcode below different codes.
    Subcode(u32),
    /// This code without a subcode.
    Bare(u32),
    /// These codes, with any subcode.
    Codes(u32, u32),
    /// Meta's page does not say whether this is a code or a subcode.
    Either(u32),
}

impl On {
    fn covers(self, code: Option<u32>, subcode: Option<u32>) -> bool {
        match self {
            Self::Pair(a, b) => code == Some(a) && subcode == Some(b),
            Self::Subcode(b) => subcode == Some(b),
            Self::Bare(a) => code == Some(a) && subcode.is_none(),
            Self::Codes(first, last) => code.is_some_and(|code| (first..=last).contains(&code)),
            Self::Either(either) => [code, subcode].contains(&Some(either)),
        }
    }
}

/// The first row that covers a refusal counts: subcodes before the codes that they refine.
const TABLE: &[(On, Meaning)] = &[
    // The window.
    (On::Subcode(2_018_278), Meaning::OutsideWindow),
    (On::Subcode(2_534_022), Meaning::OutsideWindow),
    (On::Subcode(2_018_065), Meaning::OutsideWindow),
    // The person. Others take these for the window.
    (On::Subcode(2_018_108), Meaning::Unavailable),
    (On::Subcode(1_545_041), Meaning::Unavailable),
    (On::Subcode(2_018_001), Meaning::Unavailable),
    (On::Subcode(2_534_014), Meaning::Unavailable),
    (On::Pair(100, 33), Meaning::Unavailable),
    (On::Codes(551, 551), Meaning::Unavailable),
    // The conversation.
    (On::Subcode(2_018_300), Meaning::AnsweredElsewhere),
    (On::Subcode(2_018_321), Meaning::AnsweredElsewhere),
    (On::Subcode(2_018_171), Meaning::AnsweredElsewhere),
    (On::Subcode(2_534_037), Meaning::AnsweredElsewhere),
    // Restrictions; 2018338 warns of abuse before there is one.
    (On::Codes(368, 368), Meaning::PausedByMeta),
    (On::Subcode(1_893_063), Meaning::PausedByMeta),
    (On::Subcode(1_404_170), Meaning::PausedByMeta),
    (On::Subcode(2_534_029), Meaning::PausedByMeta),
    (On::Subcode(2_534_122), Meaning::PausedByMeta),
    (On::Subcode(2_018_338), Meaning::PausedByMeta),
    (On::Either(2022), Meaning::PausedByMeta),
    // The link between Page and Instagram account.
    (On::Subcode(2_534_077), Meaning::Reconnect(Hint::Relink)),
    (On::Subcode(2_534_013), Meaning::Reconnect(Hint::Relink)),
    (On::Subcode(2_534_041), Meaning::Reconnect(Hint::AllowMessages)),
    (On::Either(36_103), Meaning::NotEligible),
    // What Meta does not tell. 9000001 is "deleted", and every message but the newest.
    (On::Codes(230, 230), Meaning::NothingKnown),
    (On::Subcode(2_018_218), Meaning::NothingKnown),
    (On::Subcode(2_018_247), Meaning::NothingKnown),
    (On::Either(9_000_001), Meaning::NothingKnown),
    // What will not get better.
    (On::Subcode(2_018_344), Meaning::Permanent),
    (On::Subcode(2_018_021), Meaning::Permanent),
    (On::Subcode(2_018_027), Meaning::Permanent),
    (On::Subcode(2_018_109), Meaning::Permanent),
    (On::Subcode(2_534_001), Meaning::Permanent),
    (On::Subcode(2_534_015), Meaning::Permanent),
    (On::Subcode(2_534_025), Meaning::Permanent),
    // For the moment. 1357046 was sent all the same; 1/99 often hides a missing permission.
    (On::Subcode(1_357_046), Meaning::Transient),
    (On::Subcode(1_545_133), Meaning::Transient),
    (On::Pair(1, 99), Meaning::Transient),
    (On::Codes(1, 2), Meaning::Transient),
    // Limits. Calling on makes the wait longer.
    (On::Codes(4, 4), Meaning::Throttled(Whose::App)),
    (On::Codes(341, 341), Meaning::Throttled(Whose::App)),
    (On::Codes(17, 17), Meaning::Throttled(Whose::Asset)),
    (On::Codes(32, 32), Meaning::Throttled(Whose::Asset)),
    (On::Codes(613, 613), Meaning::Throttled(Whose::Asset)),
    (On::Codes(80_000, 80_014), Meaning::Throttled(Whose::Asset)),
    // The token.
    (On::Pair(190, 459), Meaning::Reconnect(Hint::ConfirmAtFacebook)),
    (On::Pair(190, 464), Meaning::Reconnect(Hint::ConfirmAtFacebook)),
    (On::Pair(190, 492), Meaning::Reconnect(Hint::AskAnotherAdmin)),
    (On::Codes(190, 190), Meaning::Reconnect(Hint::LogIn)),
    (On::Codes(102, 102), Meaning::Reconnect(Hint::LogIn)),
    // The code of a login: over, or used. 36008 is a redirect URI that is not the login's.
    (On::Pair(100, 36_007), Meaning::Reconnect(Hint::LogIn)),
    (On::Pair(100, 36_009), Meaning::Reconnect(Hint::LogIn)),
    (On::Pair(100, 36_008), Meaning::Permanent),
    // Permissions. With code 10, an unknown subcode is no sign of a missing permission.
    (On::Codes(3, 3), Meaning::Reconnect(Hint::Grant)),
    (On::Bare(10), Meaning::Reconnect(Hint::Grant)),
    (On::Codes(200, 299), Meaning::Reconnect(Hint::Grant)),
];

/// What a code and subcode mean. `is_transient` is what the answer itself makes of it; the table
/// knows better.
pub(super) fn meaning(code: Option<u32>, subcode: Option<u32>, is_transient: bool) -> Meaning {
    let row = TABLE.iter().find(|(on, _)| on.covers(code, subcode));
    match row {
        Some((_, meaning)) => *meaning,
        None if is_transient => Meaning::Transient,
        None => Meaning::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: u32, subcode: impl Into<Option<u32>>, expected: Meaning) {
        let subcode = subcode.into();
        assert_eq!(meaning(Some(code), subcode, false), expected, "{code}/{subcode:?}");
    }

    #[test]
    fn the_window_is_over() {
        for subcode in [2_018_278, 2_534_022, 2_018_065] {
            check(10, subcode, Meaning::OutsideWindow);
        }
    }

    #[test]
    fn a_person_who_cannot_be_reached_is_not_a_matter_of_the_window() {
        check(551, None, Meaning::Unavailable);
        check(551, 1_545_041, Meaning::Unavailable);
        check(200, 1_545_041, Meaning::Unavailable);
        check(10, 2_018_108, Meaning::Unavailable);
        for subcode in [2_018_001, 2_534_014, 33] {
            check(100, subcode, Meaning::Unavailable);
        }
    }

    #[test]
    fn another_app_has_the_conversation_below_whatever_code() {
        check(10, 2_018_300, Meaning::AnsweredElsewhere);
        check(100, 2_534_037, Meaning::AnsweredElsewhere);
        for code in [10, 100, 200] {
            check(code, 2_018_321, Meaning::AnsweredElsewhere);
            check(code, 2_018_171, Meaning::AnsweredElsewhere);
        }
    }

    #[test]
    fn restrictions_pause_the_channel() {
        check(368, None, Meaning::PausedByMeta);
        check(368, 1_390_008, Meaning::PausedByMeta);
        check(10, 1_893_063, Meaning::PausedByMeta);
        check(10, 1_404_170, Meaning::PausedByMeta);
        check(100, 2_534_029, Meaning::PausedByMeta);
        check(100, 2_534_122, Meaning::PausedByMeta);
        check(613, 2_018_338, Meaning::PausedByMeta);
        check(2022, None, Meaning::PausedByMeta);
        check(10, 2022, Meaning::PausedByMeta);
    }

    #[test]
    fn dead_tokens_say_who_has_to_do_what() {
        for subcode in [None, Some(458), Some(460), Some(463), Some(467), Some(1)] {
            check(190, subcode, Meaning::Reconnect(Hint::LogIn));
            check(102, subcode, Meaning::Reconnect(Hint::LogIn));
        }
        check(190, 459, Meaning::Reconnect(Hint::ConfirmAtFacebook));
        check(190, 464, Meaning::Reconnect(Hint::ConfirmAtFacebook));
        check(190, 492, Meaning::Reconnect(Hint::AskAnotherAdmin));
        check(100, 36_007, Meaning::Reconnect(Hint::LogIn));
        check(100, 36_009, Meaning::Reconnect(Hint::LogIn));
    }

    #[test]
    fn missing_permissions_are_told_from_what_shares_their_codes() {
        for code in [3, 10, 200, 210, 299] {
            check(code, None, Meaning::Reconnect(Hint::Grant));
        }
        check(200, 2_018_028, Meaning::Reconnect(Hint::Grant));
        check(10, 7, Meaning::Unclear);
        check(300, None, Meaning::Unclear);
        check(10, 2_534_077, Meaning::Reconnect(Hint::Relink));
        check(100, 2_534_013, Meaning::Reconnect(Hint::Relink));
        check(200, 2_534_041, Meaning::Reconnect(Hint::AllowMessages));
        check(36_103, None, Meaning::NotEligible);
        check(100, 36_103, Meaning::NotEligible);
    }

    #[test]
    fn silence_is_told_from_deletion() {
        check(230, None, Meaning::NothingKnown);
        check(100, 2_018_218, Meaning::NothingKnown);
        check(100, 2_018_247, Meaning::NothingKnown);
        check(9_000_001, None, Meaning::NothingKnown);
        check(100, 9_000_001, Meaning::NothingKnown);
    }

    #[test]
    fn some_refusals_are_for_good() {
        for (code, subcode) in [
            (2, 2_018_344),
            (100, 36_008),
            (200, 2_018_021),
            (200, 2_018_027),
            (100, 2_018_109),
            (100, 2_534_001),
            (100, 2_534_015),
            (100, 2_534_025),
        ] {
            check(code, subcode, Meaning::Permanent);
        }
    }

    #[test]
    fn what_is_of_the_moment_may_have_happened() {
        check(1, None, Meaning::Transient);
        check(1, 99, Meaning::Transient);
        check(1, 1_357_046, Meaning::Transient);
        check(2, None, Meaning::Transient);
        check(200, 1_545_133, Meaning::Transient);
        assert_eq!(meaning(Some(100), Some(1), true), Meaning::Transient);
        assert_eq!(meaning(None, None, true), Meaning::Transient);
        let window = meaning(Some(10), Some(2_534_022), true);
        assert_eq!(window, Meaning::OutsideWindow, "the table knows better");
    }

    #[test]
    fn limits_say_whose_calls_wait() {
        for code in [4, 341] {
            check(code, None, Meaning::Throttled(Whose::App));
        }
        for code in [17, 32, 613, 80_000, 80_001, 80_002, 80_006, 80_014] {
            check(code, None, Meaning::Throttled(Whose::Asset));
        }
        check(613, 1996, Meaning::Throttled(Whose::Asset));
        check(613, 2_534_040, Meaning::Throttled(Whose::Asset));
    }

    #[test]
    fn what_nobody_knows_is_not_repeated() {
        for (code, subcode) in [(100, None), (100, Some(4_294_967_295)), (0, None), (999, Some(2))]
        {
            check(code, subcode, Meaning::Unclear);
        }
        assert_eq!(meaning(None, None, false), Meaning::Unclear);
    }

    /// A row that another one hides says nothing.
    #[test]
    fn every_row_is_the_first_to_cover_something() {
        for (at, (on, _)) in TABLE.iter().enumerate() {
            let examples: Vec<(Option<u32>, Option<u32>)> = match *on {
                On::Pair(code, subcode) => vec![(Some(code), Some(subcode))],
                On::Subcode(subcode) => vec![(Some(100), Some(subcode))],
                On::Bare(code) | On::Either(code) => vec![(Some(code), None)],
                On::Codes(first, last) => vec![(Some(first), None), (Some(last), None)],
            };
            for (code, subcode) in examples {
                let first = TABLE.iter().position(|(on, _)| on.covers(code, subcode));
                assert_eq!(first, Some(at), "{code:?}/{subcode:?}");
            }
        }
    }
}
